// A simulated OCPP 1.6-J charge point: it answers by a table, and charges when it is told to.

const LIMIT = 10000;

export class ChargePoint {
  /** Connects as `identity`; `answers` maps an action to a response, or to a function of the request. */
  static async connect(WebSocket, base, identity, answers = {}) {
    const chargePoint = new ChargePoint(identity, answers);
    const url = `${base.replace(/^http/, 'ws')}/ocpp/${encodeURIComponent(identity)}`;
    const socket = new WebSocket(url, ['ocpp1.6']);
    chargePoint.socket = socket;
    socket.on('message', (data) => chargePoint.#receive(JSON.parse(data.toString())));
    await new Promise((done, failed) => {
      socket.once('open', done);
      socket.once('error', failed);
      socket.once('unexpected-response', (_, response) => failed(new Error(`${url} answered with HTTP ${response.statusCode}`)));
    });
    return chargePoint;
  }

  #waiting = new Map();
  #next = 1;

  constructor(identity, answers) {
    this.identity = identity;
    this.answers = answers;
    this.requests = [];
  }

  /** Sends a request and resolves with the response. */
  call(action, payload) {
    const id = `${this.identity}-${this.#next++}`;
    return new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`no answer to ${action} within ${LIMIT} ms`)), LIMIT);
      this.#waiting.set(id, { action, done, failed, timer });
      this.socket.send(JSON.stringify([2, id, action, payload]));
    });
  }

  /** Waits for a request of `action` from the central system. */
  async asked(action) {
    const seen = this.requests.find((request) => request.action === action && !request.taken);
    if (seen) {
      seen.taken = true;
      return seen.payload;
    }
    return new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`no ${action} came within ${LIMIT} ms`)), LIMIT);
      this.onRequest = (request) => {
        if (request.action !== action) return;
        clearTimeout(timer);
        this.onRequest = null;
        request.taken = true;
        done(request.payload);
      };
    });
  }

  async boot(details = {}) {
    await this.call('BootNotification', {
      chargePointVendor: 'Onwire', chargePointModel: 'Simulated', chargePointSerialNumber: 'SN-0001', firmwareVersion: '1.2.3', meterType: 'M-3', ...details,
    });
  }

  status(connectorId, status, errorCode = 'NoError', more = {}) {
    return this.call('StatusNotification', { connectorId, status, errorCode, timestamp: new Date().toISOString(), ...more });
  }

  /** Starts a transaction at `timestamp`, and resolves with its id. */
  async start(connectorId, idTag, timestamp, meterStart) {
    await this.status(connectorId, 'Preparing');
    const { transactionId } = await this.call('StartTransaction', { connectorId, idTag, meterStart, timestamp: new Date(timestamp).toISOString() });
    await this.status(connectorId, 'Charging');
    return transactionId;
  }

  meter(connectorId, transactionId, timestamp, samples) {
    const sampledValue = samples.map(([measurand, value, unit, phase, format]) => ({
      value: String(value), context: 'Sample.Periodic', measurand, unit, ...(phase ? { phase } : {}), ...(format ? { format } : {}),
    }));
    return this.call('MeterValues', { connectorId, transactionId, meterValue: [{ timestamp: new Date(timestamp).toISOString(), sampledValue }] });
  }

  async stop(connectorId, transactionId, timestamp, meterStop, reason) {
    await this.call('StopTransaction', { transactionId, meterStop, timestamp: new Date(timestamp).toISOString(), reason });
    await this.status(connectorId, 'Available');
  }

  close() {
    this.socket.close();
  }

  #receive([kind, id, ...rest]) {
    if (kind === 2) return this.#answer(id, rest[0], rest[1]);
    const waiting = this.#waiting.get(id);
    if (!waiting) return undefined;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (kind === 3) return waiting.done(rest[0]);
    return waiting.failed(new Error(`${waiting.action} was answered with ${rest[0]}: ${rest[1]}`));
  }

  #answer(id, action, payload) {
    const request = { action, payload, taken: false };
    this.requests.push(request);
    const found = this.answers[action];
    const answer = typeof found === 'function' ? found(payload) : found;
    if (answer === SILENCE) {
      // Some scenarios want a charge point that says nothing.
    } else if (answer === undefined) {
      this.socket.send(JSON.stringify([4, id, 'NotImplemented', `${action} is not simulated`, {}]));
    } else if (Array.isArray(answer)) {
      this.socket.send(JSON.stringify([4, id, ...answer]));
    } else {
      this.socket.send(JSON.stringify([3, id, answer]));
    }
    this.onRequest?.(request);
  }
}

/** The answer of a charge point that does not answer. */
export const SILENCE = Symbol('silence');
