import type { Command } from '../command.ts';
import { EXIT } from '../exit-status.ts';

export const policySchema: Command = {
  name: 'policy schema',
  summary: 'Prints the JSON Schema of a policy file, for editors.',
  takes: [],
  options: {},
  async run(_given, terminal) {
    const { default: schema } = await import('#gateway/policy/gateway-policy.schema.json', { with: { type: 'json' } });
    terminal.out(JSON.stringify(schema, null, 2));
    return EXIT.done;
  },
};
