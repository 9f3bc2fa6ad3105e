// npm run soak: tests that take minutes. SOAK_MINUTES: for each kind of hostile text, and half of what the chaos takes (2).
// SOAK_SEED: the number that an earlier soak printed, to do the same again.
import { conclude, runStages } from './run-stages.ts';
import { soakStages } from './test-stages.ts';

conclude(await runStages(soakStages()));
