// The project's own simulated tracker.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Device {
  /** Starts it; it has posted when this resolves. */
  static async start({ programs, devices }, name, secret) {
    const device = new Device();
    device.folder = mkdtempSync(join(tmpdir(), 'onwire-tracker-'));
    const args = [devices, '--device-name', name, '--data', device.folder, '--interval', '1'];
    device.child = spawn(join(programs, 'alink-device'), args, {
      env: { ...process.env, ALINK_DEVICE_SECRET: secret, RUST_LOG: 'error' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((done, failed) => {
      device.child.stdout.on('data', (text) => String(text).includes('posted') && done());
      device.child.once('exit', (code) => failed(new Error(`the device ended with ${code}`)));
    });
    return device;
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((done) => this.child.once('exit', done));
      this.child.kill('SIGINT');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** When the scenarios have failed. */
  kill() {
    this.child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
