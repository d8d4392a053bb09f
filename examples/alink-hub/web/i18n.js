// Both languages of the page.

const texts = {
  en: {
    language: '中文', devices: 'Devices', products: 'Products', log: 'Log', product: 'Product', device: 'Device', state: 'State',
    online: 'online', offline: 'offline', disabled: 'disabled', since: 'Since', address: 'Address', add: 'Add', name: 'Name',
    noDevices: 'No device yet. Add one here, and enter its name and secret in the device.', secret: 'Secret', show: 'Show',
    noProducts: 'No product: put a thing model (TSL, JSON) into the models folder and start the hub again.',
    properties: 'Properties', value: 'Value', time: 'Time', set: 'Set', services: 'Services', call: 'Call', sync: 'waits',
    events: 'Events', event: 'Event', output: 'Output', updates: 'Updates', version: 'Version', module: 'Module', file: 'File',
    upload: 'Upload', push: 'Push', size: 'Size', step: 'Step', wanted: 'Desired', shadow: 'Shadow', tags: 'Tags',
    level: 'Level', content: 'Content', source: 'Source', enable: 'Enable', disable: 'Disable', remove: 'Delete',
    sure: 'Delete this device and all that is known of it?', registration: 'Dynamic registration', off: 'off',
    known: 'of entered devices', any: 'of any device', config: 'Configuration', save: 'Save', savePush: 'Save and push',
    token: 'API token', enter: 'Enter', needsToken: 'This hub wants an API token: alink-hub token add NAME makes one.',
    done: 'Done', answer: 'Answer', history: 'History', kind: 'Kind', more: 'More', live: 'live', broken: 'not live',
    empty: 'nothing yet', runs: 'runs', unset: '(not set)',
    gateway: 'Gateway', subDevices: 'Sub-devices', takeAway: 'Take away',
  },
  zh: {
    language: 'English', devices: '设备', products: '产品', log: '日志', product: '产品', device: '设备', state: '状态',
    online: '在线', offline: '离线', disabled: '已禁用', since: '时间', address: '地址', add: '添加', name: '名称',
    noDevices: '还没有设备。在此添加，再把名称和密钥写入设备。', secret: '密钥', show: '显示',
    noProducts: '没有产品：把物模型（TSL，JSON）放入 models 目录，然后重启。',
    properties: '属性', value: '值', time: '时间', set: '设置', services: '服务', call: '调用', sync: '同步',
    events: '事件', event: '事件', output: '输出', updates: '升级', version: '版本', module: '模块', file: '文件',
    upload: '上传', push: '推送', size: '大小', step: '进度', wanted: '期望值', shadow: '影子', tags: '标签',
    level: '级别', content: '内容', source: '来源', enable: '启用', disable: '禁用', remove: '删除',
    sure: '删除此设备及其全部数据？', registration: '动态注册', off: '关闭',
    known: '仅已添加的设备', any: '任何设备', config: '远程配置', save: '保存', savePush: '保存并推送',
    token: 'API 令牌', enter: '进入', needsToken: '此平台需要 API 令牌：alink-hub token add 名称',
    done: '完成', answer: '应答', history: '历史', kind: '类型', more: '更多', live: '实时', broken: '未连接',
    empty: '暂无', runs: '运行', unset: '（不设置）',
    gateway: '网关', subDevices: '子设备', takeAway: '移除',
  },
};

let language = localStorage.getItem('language') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en');
document.documentElement.lang = language;

export const t = key => texts[language][key] ?? key;

export function switchLanguage() {
  language = language === 'zh' ? 'en' : 'zh';
  localStorage.setItem('language', language);
  document.documentElement.lang = language;
}

export const when = text => text ? new Date(text).toLocaleString(language === 'zh' ? 'zh-CN' : 'en-GB') : '';
