import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { checkRoles } from './check-references.ts';
import { checkDuration, checkInstant } from './check-times.ts';
import type { BindingEntry, ExampleEntry, PolicyDocument } from './policy-document.ts';

/** An example of a binding for callers who bring a token. */
export function checkExample(
  document: PolicyDocument,
  binding: BindingEntry,
  example: ExampleEntry,
  path: FieldPath,
  complain: Complain,
): void {
  const { run, at, family, identity } = example;
  if (identity !== undefined && family === undefined) complain([...path, 'identity'], 'needs `family` beside it');
  if (identity !== undefined && !Object.hasOwn(document.identities ?? {}, identity))
    complain([...path, 'identity'], 'is not one of `identities`');
  checkSubject(document, binding, example, path, complain);
  if (at !== undefined) checkInstant(at, [...path, 'at'], complain);
  if (run?.timeout !== undefined) checkDuration(run.timeout, [...path, 'run', 'timeout'], complain);
}

/** An example is about one thing that its binding could give. */
function checkSubject(
  document: PolicyDocument,
  binding: BindingEntry,
  example: ExampleEntry,
  path: FieldPath,
  complain: Complain,
): void {
  const { role, run, family, airflow, pipeline } = example;
  checkSubjectNames(document, example, path, complain);
  const subjects = [role ?? run ?? family, airflow, pipeline].filter((subject) => subject !== undefined);
  if (subjects.length > 1) complain(path, 'is about one thing: a role with its run, `airflow`, or `pipeline`');
  else if (subjects.length === 0) checkSilent(binding, path, complain);
  else if (role === undefined && (run ?? family) !== undefined) checkSomeRun(binding, path, complain);
}

function checkSubjectNames(
  document: PolicyDocument,
  { role, airflow, pipeline }: ExampleEntry,
  path: FieldPath,
  complain: Complain,
): void {
  if (role !== undefined) checkRoles(document, [role], path, complain, 'role');
  if (airflow !== undefined && !Object.hasOwn(document.airflow ?? {}, airflow))
    complain([...path, 'airflow'], 'is not one of `airflow`');
  if (pipeline !== undefined && !Object.hasOwn(document.pipelines ?? {}, pipeline.grant))
    complain([...path, 'pipeline', 'grant'], 'is not one of `pipelines`');
}

/** An example that says nothing is about the one thing that its binding gives. */
function checkSilent({ roles, airflow = [], pipelines = [] }: BindingEntry, path: FieldPath, complain: Complain): void {
  const grants = airflow.length + pipelines.length;
  if (grants === 0 && roles.length > 1) complain([...path, 'role'], 'is needed: the binding gives several roles');
  else if (grants + roles.length > 1)
    complain(path, 'needs `role`, `airflow` or `pipeline`: the binding gives several things');
}

function checkSomeRun({ roles }: BindingEntry, path: FieldPath, complain: Complain): void {
  if (roles.length > 1) complain([...path, 'role'], 'is needed: the binding gives several roles');
  else if (roles.length === 0) complain(path, 'is about a run, and the binding gives no role');
}
