import { isIP } from 'node:net';
import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { checkNamespaceRoles } from './check-references.ts';
import { checkInstant, checkPeriod } from './check-times.ts';
import type { BindingEntry, ExampleEntry, PolicyDocument } from './policy-document.ts';

/** The only thing that is known of a call that brings nothing. */
const ADDRESS = 'address';

/** A binding for calls to luigid that bring nothing: there is neither a token nor a run. */
export function checkAnonymous(
  document: PolicyDocument,
  binding: BindingEntry,
  path: FieldPath,
  complain: Complain,
): void {
  const { mode, match, runFactsIssuer, taskFamilies, require, airflow, pipelines } = binding;
  if (mode === undefined) complain([...path, 'mode'], 'is needed for the issuer `anonymous`');
  checkMeaningless({ runFactsIssuer, taskFamilies, require, airflow, pipelines }, path, complain);
  for (const [i, { claim, runFacts }] of match.all.entries())
    if (claim !== ADDRESS || runFacts === true)
      complain([...path, 'match', 'all', i, 'claim'], 'must be `address` for the issuer `anonymous`');
  if (binding.roles.length === 0) complain([...path, 'roles'], 'is needed for the issuer `anonymous`');
  checkNamespaceRoles(document, binding.roles, path, complain);
  checkPeriod(binding, path, complain);
  for (const list of ['allow', 'deny'] as const)
    for (const [i, example] of binding.examples[list].entries())
      checkExample(example, [...path, 'examples', list, i], complain);
}

function checkExample(example: ExampleEntry, path: FieldPath, complain: Complain): void {
  const { claims, at, run, runFacts, evidence, family, identity, role, airflow, pipeline } = example;
  const isAddress = Object.keys(claims).join() === ADDRESS && isIP(String(claims[ADDRESS])) !== 0;
  if (!isAddress) complain([...path, 'claims'], 'must be an `address` and nothing else');
  checkMeaningless({ run, runFacts, evidence, family, identity, role, airflow, pipeline }, path, complain);
  if (at !== undefined) checkInstant(at, [...path, 'at'], complain);
}

function checkMeaningless(fields: Readonly<Record<string, unknown>>, path: FieldPath, complain: Complain): void {
  for (const [field, value] of Object.entries(fields))
    if (value !== undefined) complain([...path, field], 'has no meaning for the issuer `anonymous`');
}
