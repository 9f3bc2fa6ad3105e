import { describeEngine } from '../../contract/engine.contract.ts';
import { startElsewhere } from '../../support/luigi-run-elsewhere.ts';
import { LuigiScenario } from '../../support/luigi-scenario.ts';

const TASKS = { succeeds: 'Good', fails: 'FailsBelow', endless: 'Hung' } as const;

describeEngine('luigi-agent', async () => {
  const scenario = await LuigiScenario.create();
  return {
    engine: scenario.engine,
    request: (kind, id) => scenario.request(TASKS[kind], { id }),
    other: () => scenario.engineOf(),
    startAndDie: async (id) => {
      const { owner, exited, ref } = await startElsewhere(scenario.folder, id, TASKS.endless);
      owner.kill('SIGKILL');
      await exited;
      return ref;
    },
    close: () => scenario.close(),
  };
});
