import type { LaunchLog } from '#gateway/launch/launch-settings.ts';
import { LaunchScenario } from './launch-scenario.ts';

/**
 * A process of its own that starts an attempt as a gateway does, and says `started` when that is done:
 * `node start-attempt.ts FOLDER RUN-ID POINT CHANGES-OF-THE-LAUNCH-AS-JSON`. It kills itself when the launcher says that it has
 * come to POINT.
 */
const [folder = '', runId = '', point = '', changes = '{}'] = process.argv.slice(2);
const log: LaunchLog = {
  info: (_facts, message) => {
    if (point !== '' && message.includes(point)) process.kill(process.pid, 'SIGKILL');
  },
  warn: () => {},
};
const scenario = await LaunchScenario.create({ log }, folder);
await scenario.launcher.start(scenario.launch('appending', 'Appends', { ...JSON.parse(changes), runId }));
process.stdout.write('started\n');
setInterval(() => {}, 1_000);
