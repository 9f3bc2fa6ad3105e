import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { FAIL_ON, type FailOn, judgePolicy, tellPolicy } from '../judge-policy.ts';

export const policyCheck: Command = {
  name: 'policy check',
  summary: 'Says whether the gateway would take a policy, and what in it a person should look at.',
  takes: ['FILE'],
  options: {
    'fail-on': {
      value: 'SEVERITY',
      help: 'high, medium, low or never: from which remark on the answer is no; default high',
      oneOf: FAIL_ON,
    },
    json: JSON_OPTION,
  },
  async run(given, terminal) {
    const { policyOf } = await import('#gateway/policy/read-policy-file.ts');
    const file = given.required('FILE');
    const parsed = policyOf(Buffer.from(terminal.read(file)), file);
    const verdict = await judgePolicy(parsed, (given.optional('fail-on') ?? 'high') as FailOn);
    if (given.flag('json')) terminal.out(JSON.stringify(verdict));
    else tellPolicy(file, verdict, terminal);
    return verdict.ok ? EXIT.done : EXIT.refused;
  },
};
