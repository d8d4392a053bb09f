// The curves of a transaction: energy, power, and any other measurand on demand.

import { fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { chart } from '../lib/chart.js';
import { field } from '../lib/form.js';
import { energySeries, otherMeasurands, phaseSeries, powerSeries } from '../lib/series.js';

export function curves(signal) {
  const energy = chart({ title: t('curve.energy'), unit: 'kWh', series: [], testid: 'energy-chart', signal });
  const power = chart({ title: t('curve.power'), unit: 'kW', series: [], testid: 'power-chart', signal });
  const derived = h('p', { class: 'muted' }, t('curve.derived'));
  derived.hidden = true;
  const other = otherCurves(signal);
  return {
    node: [h('div', { class: 'columns' }, h('div', { class: 'card' }, energy.node), h('div', { class: 'card' }, power.node, derived)), other.node],
    update(values, transaction) {
      const points = energySeries(values, transaction);
      energy.update([{ label: t('energy'), points }]);
      const watts = powerSeries(values, points);
      power.update([{ label: t('power'), points: watts.points }]);
      derived.hidden = !(watts.derived && watts.points.length > 0);
      other.update(values);
    },
  };
}

function otherCurves(signal) {
  const choice = field({ name: 'measurand', label: t('measurand'), type: 'select', options: [] });
  const holder = h('div', {});
  const node = h('div', { class: 'card' }, h('div', { class: 'fields' }, choice.node), holder);
  node.hidden = true;
  let names = '';
  let latest = [];
  const draw = () => {
    const { unit, series } = phaseSeries(latest, choice.input.value);
    fill(holder, chart({ title: choice.input.value, unit, series, zero: false, testid: 'other-chart', signal }).node);
  };
  choice.input.addEventListener('change', draw);
  return {
    node,
    update(values) {
      latest = values;
      const measurands = otherMeasurands(values);
      node.hidden = measurands.length === 0;
      if (measurands.join() !== names) {
        const chosen = choice.input.value;
        names = measurands.join();
        fill(choice.input, measurands.map((name) => h('option', { value: name, selected: name === chosen }, name)));
      }
      if (measurands.length > 0) draw();
    },
  };
}
