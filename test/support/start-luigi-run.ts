import { LuigiScenario } from './luigi-scenario.ts';

/**
 * A process of its own that starts a run in the folder it is given, prints its id and handle, and follows it for as long as it
 * lives: `node start-luigi-run.ts FOLDER ID TASK [CHANGES OF THE REQUEST AS JSON]`.
 */
const [folder = '', id = '', task = '', changes = '{}'] = process.argv.slice(2);
const scenario = await LuigiScenario.create(folder);
const ref = await scenario.engine.start(
  scenario.request(task, { ...JSON.parse(changes), id }),
  new AbortController().signal,
);
for await (const update of scenario.engine.follow(ref, new AbortController().signal)) {
  if (update.kind === 'status') process.stdout.write(`${JSON.stringify(ref)}\n`);
}
