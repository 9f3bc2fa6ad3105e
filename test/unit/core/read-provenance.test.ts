import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import { readProvenance } from '#core/read-provenance.ts';
import { checkProvenance, hostileVariables } from '../../support/hostile-variables.ts';

interface Recorded {
  readonly about: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly expected: unknown;
}

const folder = new URL('../../fixtures/provenance/', import.meta.url);
const recorded = new Map(
  readdirSync(folder).map((file) => [file, JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Recorded]),
);

function environment(name: string): Readonly<Record<string, string>> {
  const found = recorded.get(`${name}.json`);
  assert.ok(found, name);
  return found.variables;
}

describe('readProvenance', () => {
  for (const [file, { about, variables, expected }] of recorded) {
    it(`${file}: ${about}`, () => {
      const provenance = readProvenance((name) => variables[name]);
      assert.deepEqual(JSON.parse(JSON.stringify(provenance)), expected);
    });
  }

  it('names every variable that is missing in one error', () => {
    assert.throws(
      () => readProvenance(() => undefined),
      (error: unknown) => {
        assert.ok(error instanceof PlumblineError);
        assert.equal(error.code, 'ERR_PLATFORM_UNSUPPORTED');
        assert.deepEqual(error.details['missing'], [
          'System.JobId',
          'System.TaskInstanceId',
          'System.TeamFoundationCollectionUri',
          'System.TeamProjectId',
          'System.TeamProject',
          'Build.BuildId',
          'System.DefinitionId',
        ]);
        assert.match(error.message, /: the variables System\.JobId, .* are not set$/);
        return true;
      },
    );
  });

  it('asks a release for release variables, not for those of a build', () => {
    const variables: Record<string, string> = { ...environment('release-build-artifact') };
    delete variables['Release.ReleaseId'];
    assert.throws(() => readProvenance((name) => variables[name]), /variable Release\.ReleaseId is not set/);
  });

  it('takes an empty value and a macro that nobody replaced for not set', () => {
    const variables = { ...environment('build-ci'), 'Environment.Name': '$(Environment.Name)', 'Agent.Version': ' ' };
    const provenance = readProvenance((name: string) => (variables as Record<string, string>)[name]);
    assert.equal(provenance.environment, undefined);
    assert.equal(provenance.agentVersion, undefined);
  });

  it('crashes on no variable whatever it is set to, and keeps passwords of addresses to itself', () => {
    fc.assert(fc.property(hostileVariables, checkProvenance), { numRuns: 300 });
  });

  it('makes an address of a name that is no Unicode', () => {
    const variables = { ...environment('build-ci'), 'System.TeamProject': 'a\udc00' };
    const provenance = readProvenance((name: string) => (variables as Record<string, string>)[name]);
    assert.match(provenance.run.url, /fabrikam\/a%EF%BF%BD\/_build/);
  });

  it('never carries an e-mail address, also when the display name is one', () => {
    const variables = { ...environment('build-ci'), 'Build.RequestedFor': 'someone@fabrikam.example' };
    const provenance = readProvenance((name: string) => (variables as Record<string, string>)[name]);
    assert.doesNotMatch(JSON.stringify(provenance), /@/);
    assert.equal(provenance.requestedFor?.id, '2f435d07-769f-4e46-849d-10d1ab9ba6ab');
  });

  it('strips a DefaultCollection from the old address', () => {
    const variables = {
      ...environment('build-ci'),
      'System.CollectionUri': 'https://fabrikam.visualstudio.com/DefaultCollection/',
    };
    const provenance = readProvenance((name: string) => (variables as Record<string, string>)[name]);
    assert.equal(provenance.organizationUrl, 'https://fabrikam.visualstudio.com');
    assert.equal(provenance.organization, 'fabrikam');
  });
});
