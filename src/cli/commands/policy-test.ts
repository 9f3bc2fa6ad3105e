import type { ExampleResult } from '#gateway/policy/test-policy.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { loadPolicy } from '../load-policy.ts';
import { printable } from '../printable.ts';
import type { Terminal } from '../terminal.ts';

export const policyTest: Command = {
  name: 'policy test',
  summary: 'Tries the allow and deny examples of every binding and viewer.',
  takes: ['FILE'],
  options: { json: JSON_OPTION },
  async run(given, terminal) {
    const { testPolicy } = await import('#gateway/policy/test-policy.ts');
    const policy = await loadPolicy(given.required('FILE'), terminal);
    const results = testPolicy(policy);
    const ok = results.every(({ passed }) => passed);
    if (given.flag('json')) terminal.out(JSON.stringify({ ok, policy: policy.sha256, examples: results.map(asJson) }));
    else tell(results, terminal);
    return ok ? EXIT.done : EXIT.refused;
  },
};

function asJson({ at: { file, line, column }, ...result }: ExampleResult) {
  return { ...result, file, line, column };
}

function tell(results: readonly ExampleResult[], terminal: Terminal): void {
  for (const { binding, expected, title, passed, outcome, at } of results) {
    const mark = passed ? terminal.paint('green', 'pass') : terminal.paint('red', 'FAIL');
    const place = passed ? '' : `\n      ${at.file}:${at.line}:${at.column}: must be ${WORDS[expected]}`;
    terminal.out(`${mark}  ${printable(`${binding}, ${expected}: ${title}`)}: ${printable(outcome)}${place}`);
  }
  const failed = results.filter(({ passed }) => !passed).length;
  terminal.out(`${results.length - failed} passed, ${failed} failed`);
}

const WORDS = { allow: 'allowed', deny: 'refused' } as const;
