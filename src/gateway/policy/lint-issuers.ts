import { issuerProblems } from '../auth/issuer-problems.ts';
import type { Finding, LintRule } from './policy-lint.ts';

/** What is doubtful with an issuer by itself. */
export const doubtfulIssuer: LintRule = ({ issuers }) =>
  [...issuers.values()].flatMap((settings) =>
    issuerProblems(settings)
      .filter(({ level }) => level === 'warning')
      .map(
        ({ field, why }): Finding => ({
          rule: 'issuer',
          severity: 'medium',
          path: ['issuers', settings.name, field],
          message: why,
          remedy: 'Change it, or know why it is so.',
        }),
      ),
  );

/** Nobody is bound to it. */
export const unusedIssuer: LintRule = ({ issuers, document }) => {
  const used = new Set(document.bindings.flatMap(({ issuer, runFactsIssuer }) => [issuer, runFactsIssuer]));
  return [...issuers.keys()].flatMap((name): Finding[] => {
    if (used.has(name)) return [];
    const message = 'no binding names it: its tokens are verified and refused';
    return [
      { rule: 'unused-issuer', severity: 'low', path: ['issuers', name], message, remedy: 'Remove it, or bind it.' },
    ];
  });
};
