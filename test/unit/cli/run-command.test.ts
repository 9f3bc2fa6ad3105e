import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Arguments } from '#cli/arguments.ts';
import type { Command } from '#cli/command.ts';
import { runCommand } from '#cli/run-command.ts';
import { PlumblineError } from '#core/errors.ts';
import { RecordingTerminal } from './recording-terminal.ts';

let seen: Arguments | undefined;

const CHECK: Command = {
  name: 'policy check',
  summary: 'Checks a policy.',
  takes: ['FILE', 'OTHER?'],
  options: {
    json: { help: 'as JSON' },
    role: { value: 'ROLE', help: 'which role', required: true },
    param: { value: 'NAME=VALUE', help: 'a parameter', repeated: true },
    format: { value: 'FORMAT', help: 'how', oneOf: ['table', 'csv'] },
  },
  run: async (given) => {
    seen = given;
    given.assignments('param');
    if (given.required('FILE') === 'broken')
      throw new PlumblineError('ERR_FILE_UNREADABLE', 'Cannot read broken: \u001b[2Jgone');
    if (given.required('FILE') === 'bug') throw new TypeError('a bug');
    return given.required('FILE') === 'bad' ? 2 : 0;
  },
};
const SERVE: Command = { name: 'gateway serve', summary: 'Serves.', takes: [], options: {}, run: async () => 0 };

async function run(...argv: string[]) {
  const terminal = new RecordingTerminal();
  const status = await runCommand([CHECK, SERVE], argv, terminal);
  return { status, ...terminal, output: terminal.output, everything: terminal.everything };
}

describe('the command line', () => {
  beforeEach(() => {
    seen = undefined;
  });

  it('hands over options, repeated options and arguments', async () => {
    const argv = ['policy', 'check', 'p.yml', '--role', 'r', '--param', 'a=1', '--param', 'b=x=y', '--json'];
    assert.equal((await run(...argv)).status, 0);
    assert.equal(seen?.required('FILE'), 'p.yml');
    assert.equal(seen?.optional('OTHER'), undefined);
    assert.equal(seen?.required('role'), 'r');
    assert.equal(seen?.flag('json'), true);
    assert.deepEqual(
      [...(seen?.assignments('param') ?? [])],
      [
        ['a', '1'],
        ['b', 'x=y'],
      ],
    );
  });

  for (const [why, argv, message] of [
    ['no command', [], /Which command\?/],
    ['an unknown one', ['polish'], /no such command/],
    ['half of one', ['policy'], /usage: plumbline policy check FILE \[OTHER\] \[--json\] --role ROLE/],
    ['a missing argument', ['policy', 'check', '--role', 'r'], /FILE is missing/],
    ['a missing option', ['policy', 'check', 'f'], /--role ROLE is missing/],
    ['an option without its value', ['policy', 'check', 'f', '--role'], /--role/],
    ['an unknown option', ['policy', 'check', 'f', '--role', 'r', '--what'], /--what/],
    ['a value for a switch', ['policy', 'check', 'f', '--role', 'r', '--json=1'], /--json/],
    ['a third argument', ['policy', 'check', 'a', 'b', 'c', '--role', 'r'], /too many arguments/],
    ['another format', ['policy', 'check', 'a', '--role', 'r', '--format', 'pdf'], /--format is table, csv/],
    ['no assignment', ['policy', 'check', 'a', '--role', 'r', '--param', 'x'], /--param takes NAME=VALUE/],
    [
      'an assignment twice',
      ['policy', 'check', 'a', '--role', 'r', '--param', 'x=1', '--param', 'x=2'],
      /gives x twice/,
    ],
  ] as const) {
    it(`ends with 64 and the usage: ${why}`, async () => {
      const { status, errors, lines } = await run(...argv);
      assert.equal(status, 64);
      assert.match(errors.join('\n'), message);
      assert.match(errors.join('\n'), /usage: plumbline/);
      assert.deepEqual(lines, []);
    });
  }

  it('ends with 2 when the answer is no, and with 1 when there is none', async () => {
    assert.equal((await run('policy', 'check', 'bad', '--role', 'r')).status, 2);
    const broken = await run('policy', 'check', 'broken', '--role', 'r');
    assert.equal(broken.status, 1);
    assert.match(broken.errors.join(), /^ERR_FILE_UNREADABLE: Cannot read broken: \\u\{1b\}\[2Jgone$/);
    const bug = await run('policy', 'check', 'bug', '--role', 'r', '--json');
    assert.equal(bug.status, 1);
    assert.equal(JSON.parse(bug.output).error.code, 'ERR_UNEXPECTED');
  });

  it('tells what there is, and what a command takes', async () => {
    const help = await run('--help');
    assert.equal(help.status, 0);
    assert.match(help.output, /policy check +Checks a policy\.\n {2}gateway serve/);
    const page = await run('policy', 'check', '--help');
    assert.equal(page.status, 0);
    assert.match(page.output, /--role ROLE +which role/);
    assert.equal((await run('--version')).output, '1.0.0');
  });

  it('takes what stands behind -- as an argument', async () => {
    await run('policy', 'check', '--role', 'r', '--', '--help');
    assert.equal(seen?.required('FILE'), '--help');
  });

  it('never throws and never repeats a value that was typed', async () => {
    const canary = 'eyJhbGciOiJub25lIn0.canary.x';
    const words = fc.constantFrom(
      'policy',
      'check',
      '--role',
      '--param',
      '--json',
      '--',
      '-x',
      '--what',
      canary,
      `--role=${canary}`,
      `--zz=${canary}`,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(words, { maxLength: 8 }), async (argv) => {
        const { status, everything } = await run(...argv);
        assert.ok([0, 1, 2, 64].includes(status));
        assert.ok(!everything.includes('canary'), everything);
      }),
    );
  });
});
