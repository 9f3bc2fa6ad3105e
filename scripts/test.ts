// npm test [-- NAME…]: every test; with names only the stages whose names contain one of them.
import { conclude, runStages } from './run-stages.ts';
import { testStages } from './test-stages.ts';

const names = process.argv.slice(2);
const wanted = (stage: { name: string }) => names.length === 0 || names.some((name) => stage.name.includes(name));
const { first, rest } = testStages();
const quick = await runStages(first.filter(wanted));
conclude([...quick, ...(await runStages(rest.filter(wanted)))]);
