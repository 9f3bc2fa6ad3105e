import assert from 'node:assert/strict';
import fc from 'fast-check';
import { escapeData, parseLoggingCommand, unescapeData } from '#local-pipeline/logging-command.ts';
import { checkTaskLibCommand, taskLibCommand } from '../../support/task-lib-commands.ts';

const parse = (line: string, decodePercents = true) => {
  const command = parseLoggingCommand(line, decodePercents);
  return command && { ...command, properties: Object.fromEntries(command.properties) };
};

describe('logging commands', () => {
  // The facts of the agent's own LoggingCommandL0.CommandParserTest.
  const vectors: readonly (readonly [string, boolean, ReturnType<typeof parse>])[] = [
    ['##vso[area.event k1=v1;]msg', true, { area: 'area', event: 'event', properties: { k1: 'v1' }, data: 'msg' }],
    ['##vso[area.event]', true, { area: 'area', event: 'event', properties: {}, data: '' }],
    [
      '##vso[area.event k1=%3B=%0D=%0A=%5D%AZP25;]%3B-%0D-%0A-%5D%AZP253B',
      false,
      { area: 'area', event: 'event', properties: { k1: ';=\r=\n=]%AZP25' }, data: ';-\r-\n-]%AZP253B' },
    ],
    [
      '##vso[area.event k1=%3B=%0D=%0A=%5D%AZP25;]%3B-%0D-%0A-%5D%AZP253B',
      true,
      { area: 'area', event: 'event', properties: { k1: ';=\r=\n=]%' }, data: ';-\r-\n-]%3B' },
    ],
    ['##vso[area.event k1=;k2=;]', true, { area: 'area', event: 'event', properties: {}, data: '' }],
    [
      '>>>   ##vso[area.event k1=v1;]msg',
      true,
      { area: 'area', event: 'event', properties: { k1: 'v1' }, data: 'msg' },
    ],
  ];
  for (const [line, decode, expected] of vectors) {
    it(`reads ${JSON.stringify(line)}${decode ? '' : ' without decoding percents'}`, () =>
      assert.deepEqual(parse(line, decode), expected));
  }

  it('takes the first command of a line, the second is its data', () => {
    assert.equal(
      parse('a ##vso[task.debug]x ##vso[task.complete result=Failed]')?.data,
      'x ##vso[task.complete result=Failed]',
    );
  });

  it('names have no case', () => {
    assert.deepEqual(parse('##vso[Task.SetVariable Variable=Name]v'), {
      area: 'task',
      event: 'setvariable',
      properties: { variable: 'Name' },
      data: 'v',
    });
  });

  for (const line of [
    '##vso[task]x',
    '##vso[a.b.c]x',
    '##vso[task.debug',
    '##vs0[task.debug]x',
    '##[task.debug]x',
    '',
  ]) {
    it(`${JSON.stringify(line)} is no command`, () => assert.equal(parse(line), undefined));
  }

  it('what was escaped comes back', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => unescapeData(escapeData(text)) === text));
  });

  it('what task-lib says is read as it was meant, whatever it says and however the bytes come', () => {
    fc.assert(fc.property(taskLibCommand, checkTaskLibCommand), { numRuns: 500 });
  });

  it('an escaped text cannot end a command or begin another', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), (data, value) => {
        const command = parse(`##vso[area.event k=${escapeData(value)}]${escapeData(data)}`);
        assert.equal(command?.data, data);
        const [only, ...others] = Object.entries(command?.properties ?? {});
        assert.deepEqual(others, []);
        if (!value.startsWith('=')) assert.deepEqual(only, ['k', value]);
      }),
    );
  });
});
