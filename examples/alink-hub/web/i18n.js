// Both languages of the page, and how they write times.

export const texts = {
  en: {
    language: '中文', devices: 'Devices', products: 'Products', log: 'Log', product: 'Product', device: 'Device', state: 'State',
    online: 'online', offline: 'offline', disabled: 'disabled', since: 'Since', address: 'Address', add: 'Add', name: 'Name',
    addDevice: 'Add a device', nameHint: 'Letters, digits and -_@.:', all: 'all products',
    noDevices: 'No device yet. Add one here, and enter its name and secret in the device.', secret: 'Secret', show: 'Show',
    noProducts: 'No product: put a thing model (TSL, JSON) into the models folder and start the hub again.',
    properties: 'Properties', value: 'Value', time: 'Time', set: 'Set', isSet: 'The device has set it.', curve: 'Curve', points: 'Points',
    services: 'Services', noServices: 'The model has no service.', call: 'Call', sync: 'the device answers at once',
    events: 'Events', updates: 'Updates', version: 'Version', module: 'Module', file: 'File', files: 'Files for updates',
    noFiles: 'No file yet.', upload: 'Upload', push: 'Push', size: 'Size', step: 'Progress', deleted: '(deleted)',
    waits: 'pushed when the device comes', wanted: 'Desired properties', shadow: 'Shadow', tags: 'Tags',
    wantedHint: 'Told to the device, and kept until it takes them away. null takes one back.',
    level: 'Level', content: 'Content', source: 'Source', enable: 'Enable', disable: 'Disable', remove: 'Delete', cancel: 'Cancel',
    sure: 'Delete this device and all that is known of it?', sureDisable: 'Keep this device out? Its connection ends.',
    sureFile: 'Delete this file?', sureConfig: 'Take the configuration away?',
    registration: 'Dynamic registration', off: 'off', known: 'of entered devices', any: 'of any device',
    config: 'Configuration', save: 'Save', savePush: 'Save and push', toldDevices: 'Devices that were told',
    token: 'API token', enter: 'Enter', login: 'Log in', logout: 'Log out', wrongToken: 'This token is not good.',
    needsToken: 'This hub wants an API token: alink-hub token add NAME makes one.',
    done: 'Done', busy: 'Wait…', loading: 'Loading…', again: 'Try again', failed: 'This cannot be shown',
    unreachable: 'The hub does not answer.', noJson: 'This is no JSON', answer: 'Answer', history: 'History', kind: 'Kind',
    more: 'More', live: 'live', broken: 'not live', empty: 'nothing yet', runs: 'runs', unset: '(not set)',
    uploads: 'Uploaded by the device', uploadsLog: 'The device uploads its log', download: 'Download',
    protocol: 'The device fetches files', 'protocol.http': 'over HTTP', 'protocol.mqtt': 'over MQTT, in blocks',
    'kind.event': 'Events', 'kind.service': 'Services', 'kind.message': 'Messages', 'kind.property': 'Properties',
    'source.': 'everybody', 'source.hub': 'hub', 'source.device': 'device', 'source.api': 'who changed what',
    'state.waiting': 'waits', 'state.pushed': 'pushed', 'state.running': 'under way', 'state.done': 'done',
    'state.failed': 'failed', 'state.cancelled': 'cancelled',
    'step.-1': 'the update failed', 'step.-2': 'the download failed', 'step.-3': 'the digest is wrong', 'step.-4': 'writing failed',
    'problem.offline': 'The device is offline', 'problem.connectionLost': 'The connection ended', 'problem.timeout': 'No answer in time',
    'problem.notSent': 'Not sent: the device is behind with its answers', 'problem.busy': 'The device was asked too much', 'problem.refused': 'The device refused', 'problem.invalidPayload': 'A value is wrong',
    'problem.badRequest': 'The request is wrong', 'problem.notFound': 'Not found', 'problem.conflict': 'This cannot be now',
    'problem.unauthorized': 'Not logged in', 'problem.forbidden': 'Not allowed', 'problem.tooLarge': 'Too large',
    'problem.internal': 'The hub failed', 'problem.storeUnavailable': 'The database failed',
    gateway: 'Gateway', subDevices: 'Sub-devices', noSubDevices: 'No sub-device yet.', takeAway: 'Take away',
    sureTakeAway: 'Take this device from behind the gateway?',
  },
  zh: {
    language: 'English', devices: '设备', products: '产品', log: '日志', product: '产品', device: '设备', state: '状态',
    online: '在线', offline: '离线', disabled: '已禁用', since: '时间', address: '地址', add: '添加', name: '名称',
    addDevice: '添加设备', nameHint: '字母、数字和 -_@.:', all: '全部产品',
    noDevices: '还没有设备。在此添加，再把名称和密钥写入设备。', secret: '密钥', show: '显示',
    noProducts: '没有产品：把物模型（TSL，JSON）放入 models 目录，然后重启。',
    properties: '属性', value: '值', time: '时间', set: '设置', isSet: '设备已设置。', curve: '曲线', points: '点数',
    services: '服务', noServices: '物模型没有服务。', call: '调用', sync: '同步',
    events: '事件', updates: '升级', version: '版本', module: '模块', file: '文件', files: '升级包',
    noFiles: '还没有升级包。', upload: '上传', push: '推送', size: '大小', step: '进度', deleted: '（已删除）',
    waits: '设备上线后推送', wanted: '期望值', shadow: '影子', tags: '标签',
    wantedHint: '下发给设备，并保留到设备清除为止。null 表示撤回。',
    level: '级别', content: '内容', source: '来源', enable: '启用', disable: '禁用', remove: '删除', cancel: '取消',
    sure: '删除此设备及其全部数据？', sureDisable: '禁用此设备？连接会断开。',
    sureFile: '删除此升级包？', sureConfig: '删除远程配置？',
    registration: '动态注册', off: '关闭', known: '仅已添加的设备', any: '任何设备',
    config: '远程配置', save: '保存', savePush: '保存并推送', toldDevices: '已通知的设备',
    token: 'API 令牌', enter: '进入', login: '登录', logout: '退出', wrongToken: '令牌不正确。',
    needsToken: '此平台需要 API 令牌：alink-hub token add 名称',
    done: '完成', busy: '请稍候…', loading: '加载中…', again: '重试', failed: '无法显示',
    unreachable: '平台没有响应。', noJson: '不是 JSON', answer: '应答', history: '历史', kind: '类型',
    more: '更多', live: '实时', broken: '未连接', empty: '暂无', runs: '运行', unset: '（不设置）',
    uploads: '设备上传的文件', uploadsLog: '设备上报日志', download: '下载',
    protocol: '下载方式', 'protocol.http': 'HTTP', 'protocol.mqtt': 'MQTT 分片',
    'kind.event': '事件', 'kind.service': '服务', 'kind.message': '消息', 'kind.property': '属性',
    'source.': '全部', 'source.hub': '平台', 'source.device': '设备', 'source.api': '操作记录',
    'state.waiting': '等待', 'state.pushed': '已推送', 'state.running': '升级中', 'state.done': '完成',
    'state.failed': '失败', 'state.cancelled': '已取消',
    'step.-1': '升级失败', 'step.-2': '下载失败', 'step.-3': '校验失败', 'step.-4': '烧写失败',
    'problem.offline': '设备离线', 'problem.connectionLost': '连接中断', 'problem.timeout': '应答超时',
    'problem.notSent': '未发送：设备尚未应答此前的调用', 'problem.busy': '设备忙', 'problem.refused': '设备拒绝', 'problem.invalidPayload': '值不正确',
    'problem.badRequest': '请求不正确', 'problem.notFound': '不存在', 'problem.conflict': '现在无法执行',
    'problem.unauthorized': '未登录', 'problem.forbidden': '没有权限', 'problem.tooLarge': '太大',
    'problem.internal': '平台出错', 'problem.storeUnavailable': '数据库出错',
    gateway: '网关', subDevices: '子设备', noSubDevices: '还没有子设备。', takeAway: '移除',
    sureTakeAway: '从网关下移除此设备？',
  },
};

let language = localStorage.getItem('language') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en');
document.documentElement.lang = language;

export const t = key => texts[language][key] ?? key;
export const locale = () => language === 'zh' ? 'zh-CN' : 'en-GB';

export function switchLanguage() {
  language = language === 'zh' ? 'en' : 'zh';
  localStorage.setItem('language', language);
  document.documentElement.lang = language;
}

export const when = time => time ? new Date(time).toLocaleString(locale(), { hour12: false }) : '';

/** The address of a view. */
export const path = (...parts) => `#/${parts.map(encodeURIComponent).join('/')}`;
