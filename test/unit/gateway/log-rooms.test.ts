import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { gatewayLog } from '#gateway/app/gateway-log.ts';
import type { GatewayGround } from '#gateway/gateway-ground.ts';
import { openIssuer } from '#gateway/open-issuer.ts';

describe('what a room of the gateway logs', () => {
  it('names no field twice', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'log-rooms-'));
    const lines: string[] = [];
    const closers: (() => unknown)[] = [];
    const log = gatewayLog({ level: 'info' }, { write: (line) => lines.push(line) });
    const keys = { kind: 'files', rotateEveryMs: 0, publishForMs: 0 } as const;
    const config = {
      stateDirectory: folder,
      issuer: { url: 'https://tokens.example.com', lifetimeMs: 600_000, keys },
    };
    const ground = {
      config,
      options: { log, clock: systemClock, workerPath: '' },
      audit: { append: async () => {} },
      closers,
    } as unknown as GatewayGround;
    try {
      await openIssuer(ground);
      assert.match(lines.join(''), /keys in force/);
      for (const line of lines) {
        const names = [...line.matchAll(/"(\w+)":/g)].map(([, name]) => name);
        assert.deepEqual(names, [...new Set(names)], line);
      }
    } finally {
      for (const close of closers) await close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
