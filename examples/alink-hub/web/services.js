// Services of a device, each with a form.

import { h, nothing, request } from '/web/lib.js';
import { t } from '/web/i18n.js';
import { features, form, shown, title } from '/web/model.js';

export function services(base, tsl) {
  const properties = features(tsl, 'properties');
  const all = features(tsl, 'services').map(service => {
    // A plain name is that of a property.
    const input = (service.inputData ?? []).map(item => typeof item === 'string' ? properties.find(each => each.identifier === item) ?? { identifier: item } : item);
    const call = async values => {
      const { code, data } = await request('POST', `${base}/services/${encodeURIComponent(service.identifier)}`, values);
      const given = Object.entries(data ?? {}).map(([identifier, value]) => {
        const item = (service.outputData ?? []).find(each => each.identifier === identifier) ?? { identifier };
        return `${title(item)}: ${shown(item, value)}`;
      });
      return `${t('answer')} ${code}${given.length ? ` · ${given.join(' · ')}` : ''}`;
    };
    return h('div', { class: 'service' }, h('h3', {}, title(service), service.callType === 'sync' ? h('small', {}, ` ${t('sync')}`) : ''),
      form(input, t('call'), call, `service-${service.identifier}`));
  });
  return h('section', { testid: 'services' }, h('h2', {}, t('services')), all.length ? all : nothing(t('noServices')));
}
