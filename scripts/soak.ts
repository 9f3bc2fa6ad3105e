// npm run soak: tests that take minutes, one after the other.
import { conclude, runStages } from './run-stages.ts';
import { soakStages } from './test-stages.ts';

conclude(await runStages(soakStages()));
