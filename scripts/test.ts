// npm test [-- PATH… | NAME…]: every test; only those below `test/…`; or only the stages whose names contain one of these.
import { conclude, runStages, WITH_WAITING_STAGES } from './run-stages.ts';
import { stageOf, testStages } from './test-stages.ts';

const selection = process.argv.slice(2);
const paths = selection.filter((one) => one.startsWith('test/'));
const names = selection.filter((one) => !one.startsWith('test/'));
const wanted = ({ name }: { name: string }) => selection.length === 0 || names.some((part) => name.includes(part));
const { first, rest } = testStages();
const quick = await runStages([...paths.map(stageOf), ...first.filter(wanted)]);
conclude([...quick, ...(await runStages(rest.filter(wanted), WITH_WAITING_STAGES))]);
