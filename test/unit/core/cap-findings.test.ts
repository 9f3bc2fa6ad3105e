import assert from 'node:assert/strict';
import { capFindings } from '#core/cap-findings.ts';
import type { Finding } from '#core/run.ts';

describe('findings are at most ten of each severity, as many as an agent keeps', () => {
  const many = (severity: Finding['severity'], code: Finding['code'], count: number): Finding[] =>
    Array.from({ length: count }, (_, i) => ({ severity, code, message: String(i) }));
  const messages = (findings: readonly Finding[]) => findings.map(({ message }) => message);

  it('all of them when they are no more', () => {
    const all = [...many('error', 'ERR_RUN_FAILED', 10), ...many('warning', 'ERR_RUN_UNVERIFIED', 10)];
    assert.deepEqual(capFindings(all), all);
  });

  it('else the last one counts the rest', () => {
    const kept = capFindings(many('error', 'ERR_RUN_FAILED', 25));
    assert.equal(kept.length, 10);
    assert.deepEqual(messages(kept).slice(0, 9), ['0', '1', '2', '3', '4', '5', '6', '7', '8']);
    assert.match(kept[9]?.message ?? '', /16 more \(16 ERR_RUN_FAILED\)/);
  });

  it('no code without one, in the order of importance', () => {
    const all = [
      ...many('error', 'ERR_RUN_FAILED', 25),
      ...many('error', 'ERR_RUN_MISSING_INPUT', 4),
      ...many('error', 'ERR_RUN_NOT_RUN', 12),
    ];
    const kept = capFindings(all);
    const codes = kept.slice(0, 9).map(({ code }) => code);
    assert.deepEqual(codes, [...Array(7).fill('ERR_RUN_FAILED'), 'ERR_RUN_MISSING_INPUT', 'ERR_RUN_NOT_RUN']);
    const counts = '18 ERR_RUN_FAILED, 3 ERR_RUN_MISSING_INPUT, 11 ERR_RUN_NOT_RUN';
    assert.ok(kept[9]?.message.includes(`32 more (${counts})`), kept[9]?.message);
  });
});
