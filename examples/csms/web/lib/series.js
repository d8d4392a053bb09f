// Curves out of meter values: one series for each thing that was measured.

const ENERGY = 'Energy.Active.Import.Register';
const POWER = 'Power.Active.Import';
const SCALE = { Wh: ['kWh', 0.001], W: ['kW', 0.001], VAh: ['kVAh', 0.001], VA: ['kVA', 0.001], varh: ['kvarh', 0.001], var: ['kvar', 0.001], Celcius: ['°C', 1], Celsius: ['°C', 1], Percent: ['%', 1] };
const DEFAULT_UNIT = 'Wh';

/** OCPP's default measurand is the energy register. */
export const measurandOf = (value) => value.measurand ?? ENERGY;

/** The measurands in `values` that can be drawn, but for energy and power. */
export function otherMeasurands(values) {
  const names = new Set(values.filter(isNumber).map(measurandOf));
  names.delete(ENERGY);
  names.delete(POWER);
  return [...names].sort();
}

/** Energy since the start in kWh. */
export function energySeries(values, transaction) {
  const start = transaction.startMeterWh ?? 0;
  // Some charge points count from the beginning of the session.
  const ofSession = (transaction.marks ?? []).includes('sessionRegisters');
  const base = (kwh) => (ofSession && kwh * 1000 < start ? 0 : start / 1000);
  const points = totals(values, ENERGY).map(([time, kwh]) => [time, kwh - base(kwh)]);
  if (transaction.startedAt) points.push([Date.parse(transaction.startedAt), 0]);
  const end = transaction.stoppedAt;
  if (end && transaction.energyWh !== null && transaction.energyWh !== undefined) {
    points.push([Date.parse(end), transaction.energyWh / 1000]);
  }
  return points.sort((a, b) => a[0] - b[0]);
}

/** Power in kW as it was measured, else what the energy's curve says; `derived` tells which. */
export function powerSeries(values, energy) {
  const measured = totals(values, POWER);
  if (measured.length > 0) return { points: measured, derived: false };
  const points = [];
  for (let index = 1; index < energy.length; index += 1) {
    const [before, at] = [energy[index - 1], energy[index]];
    const hours = (at[0] - before[0]) / 3600000;
    if (hours > 0) points.push([before[0], (at[1] - before[1]) / hours], [at[0], (at[1] - before[1]) / hours]);
  }
  return { points, derived: true };
}

/** Each phase of `measurand` as a series, in one unit. */
export function phaseSeries(values, measurand) {
  const lines = new Map();
  let shown = '';
  for (const value of values.filter((entry) => isNumber(entry) && measurandOf(entry) === measurand)) {
    const [unit, factor] = SCALE[value.unit] ?? [value.unit ?? '', 1];
    shown = unit;
    const name = [value.phase, value.location !== 'Outlet' && value.location].filter(Boolean).join(' ') || measurand;
    if (!lines.has(name)) lines.set(name, new Map());
    lines.get(name).set(Date.parse(value.measuredAt), Number(value.value) * factor);
  }
  return { unit: shown, series: [...lines].map(([label, points]) => ({ label, points: [...points] })) };
}

/** The value over all phases at each time: as it was sent, else the sum of the phases. */
function totals(values, measurand) {
  const whole = new Map();
  const phases = new Map();
  for (const value of values.filter((entry) => isNumber(entry) && measurandOf(entry) === measurand)) {
    if (value.location && value.location !== 'Outlet') continue;
    const time = Date.parse(value.measuredAt);
    const [, factor] = SCALE[value.unit ?? DEFAULT_UNIT] ?? [null, 1];
    const reading = Number(value.value) * factor;
    if (!value.phase) whole.set(time, reading);
    else if (/^L[123](-N)?$/.test(value.phase)) phases.set(time, (phases.get(time) ?? 0) + reading);
  }
  for (const [time, sum] of phases) if (!whole.has(time)) whole.set(time, sum);
  return [...whole].sort((a, b) => a[0] - b[0]);
}

function isNumber(value) {
  return value.format !== 'SignedData' && value.value !== '' && Number.isFinite(Number(value.value));
}
