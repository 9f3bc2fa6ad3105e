import { airflowUserKey } from './check-access-grants.ts';
import { Glob } from './glob.ts';
import type { AirflowEntry, PolicyDocument } from './policy-document.ts';
import type { Finding, LintRule } from './policy-lint.ts';

/** Somebody's proposal, merged with the target: whoever may open a pull request writes its code. */
const PROPOSAL = 'refs/pull/1/merge';

/** No binding gives it. */
export const unusedGrant: LintRule = ({ document }) =>
  (['airflow', 'pipelines'] as const).flatMap((kind) => {
    const used = new Set(document.bindings.flatMap((binding) => binding[kind] ?? []));
    return Object.keys(document[kind] ?? {}).flatMap((name): Finding[] => {
      if (used.has(name)) return [];
      const [message, remedy] = ['no binding gives it', 'Remove it, or bind it.'];
      return [{ rule: 'unused-grant', severity: 'low', path: [kind, name], message, remedy }];
    });
  });

/** A user who may do everything. */
export const airflowAdmin: LintRule = ({ document: { airflow = {} } }) =>
  Object.entries(airflow).flatMap(([name, { role }]): Finding[] => {
    if (role !== 'admin') return [];
    const message = 'may do everything in this Airflow, and read its connections and variables';
    const remedy = 'Starting and following DAG runs needs no more than `role: user`.';
    return [{ rule: 'airflow-admin', severity: 'medium', path: ['airflow', name, 'role'], message, remedy }];
  });

/** Whoever reads `report` here may think that somebody is still looking at what it would refuse. */
export const airflowReport: LintRule = ({ document }) =>
  document.bindings.flatMap(({ airflow: names = [], mode = document.mode }, i) =>
    names.flatMap((name, n): Finding[] => {
      const grant = entryOf(document, name);
      const isMighty = grant !== undefined && (grant.role === 'admin' || grant.role === undefined);
      if (mode !== 'report' || !isMighty) return [];
      const who = grant.role === undefined ? 'whose roles only Airflow knows' : 'who may do everything';
      const message = `is a user ${who}, in a binding that only reports: for Airflow it holds as with enforce`;
      const remedy = 'Set `mode: enforce`, in a binding of its own where roles are still to be reported.';
      return [{ rule: 'airflow-report', severity: 'medium', path: ['bindings', i, 'airflow', n], message, remedy }];
    }),
  );

/** Airflow's own records cannot tell their callers apart. */
export const sharedAirflowUser: LintRule = ({ document }) => {
  const owners = new Map<string, number>();
  return document.bindings.flatMap(({ airflow: names = [] }, i) =>
    names.flatMap((name, n): Finding[] => {
      const grant = entryOf(document, name);
      if (grant === undefined || grant.sharedBy !== undefined) return [];
      const key = airflowUserKey(grant);
      const owner = owners.get(key) ?? i;
      owners.set(key, owner);
      if (owner === i) return [];
      const message = `is the user of '${document.bindings[owner]?.name}' too: Airflow's records show both as one`;
      const remedy = 'Give each binding a grant with a user of its own, or say why with `sharedBy`.';
      const path = ['bindings', i, 'airflow', n];
      return [{ rule: 'shared-airflow-user', severity: 'medium', path, message, remedy }];
    }),
  );
};

/** Refs that anybody who may push, or only propose, can make. */
export const openRef: LintRule = ({ document: { pipelines = {} } }) =>
  Object.entries(pipelines).flatMap(([name, { refs }]) =>
    refs.flatMap((condition, i): Finding[] => {
      if (!('glob' in condition)) return [];
      const path = ['pipelines', name, 'refs', i, 'glob'];
      const remedy = 'Name the branches, e.g. `refs/heads/release/*`.';
      if (condition.glob.startsWith('*')) {
        const message = 'begins with a wildcard, so that every branch and pull request may be run';
        return [{ rule: 'wildcard-start', severity: 'high', path, message, remedy }];
      }
      if (!new Glob(condition.glob).matches(PROPOSAL)) return [];
      const message = "takes pull requests: whoever may open one writes the pipeline's code";
      return [{ rule: 'pull-request-ref', severity: 'high', path, message, remedy }];
    }),
  );

function entryOf({ airflow = {} }: PolicyDocument, name: string): AirflowEntry | undefined {
  return Object.hasOwn(airflow, name) ? airflow[name] : undefined;
}
