import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import AjvDraft04 from 'ajv-draft-04';
import { PRODUCT_VERSION } from '#core/product-version.ts';
import { buildExtension, taskFolders } from '../../scripts/build-extension.ts';
import { entriesOf } from '../../scripts/bundle-task.ts';
import { developmentManifest } from '../../scripts/package-extension.ts';
import { pngSize } from '../../scripts/png.ts';
import { productVersion, ROOT, readJson } from '../../scripts/repository.ts';
import { sourceFiles } from './source-files.ts';
import { contractBreaks, type TaskContract, type TaskManifest } from './task-contract.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const HANDLERS = ['Node24', 'Node20_1'];
/** The first agent that knows Node20_1; an older one ignores both handlers, a newer one takes Node24 by itself. */
const MINIMUM_AGENT = '4.248.0';
const SCHEMA = resolve(ROOT, '../shared/specs/azure-pipelines/tasks.schema.json');

interface ExtensionManifest {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly scopes: readonly string[];
  readonly contributions: readonly {
    readonly type: string;
    readonly properties: { readonly name: string } & Readonly<Record<string, unknown>>;
  }[];
  readonly icons: { readonly default: string };
}

const extension = readJson<ExtensionManifest>('vss-extension.json');
/** What a step gets from beside its folder. */
const sharedByAllSteps = sourceFiles(['src/steps'], /^[^/]+\.ts$/);
const tasks = taskFolders().map((folder) => ({ folder, task: readJson<TaskManifest>(`tasks/${folder}/task.json`) }));

function unexplained(input: TaskManifest['inputs'][number], groups: readonly string[]): string[] {
  const { name, label, helpMarkDown, groupName, options, defaultValue } = input;
  return [
    ...(label.length > 0 && /\S\.$/.test(helpMarkDown) ? [] : [`${name} is not explained`]),
    ...(groupName === undefined || groups.includes(groupName) ? [] : [`${name}: there is no group ${groupName}`]),
    ...(!options || Object.hasOwn(options, defaultValue ?? '') ? [] : [`${name}: the default is no option`]),
  ];
}

for (const { folder, task } of tasks) {
  describe(`manifest of ${folder}`, () => {
    it('is named as its folder, with an id and a readable name', () => {
      assert.equal(`${task.name}V${task.version.Major}`, folder);
      assert.match(task.id, UUID);
      assert.ok(task.friendlyName.length <= 40, task.friendlyName);
    });

    it('runs the same sources on Node 24 and Node 20', () => {
      assert.equal(task.minimumAgentVersion, MINIMUM_AGENT);
      for (const stage of [task.execution, task.postjobexecution ?? task.execution]) {
        assert.deepEqual(Object.keys(stage), HANDLERS);
        assert.equal(new Set(Object.values(stage).map(({ target }) => target)).size, 1);
      }
      for (const entry of entriesOf({ ...task })) assert.ok(existsSync(resolve(ROOT, 'tasks', folder, entry)), entry);
    });

    it('may use restricted commands and set its own outputs, nothing else', () => {
      assert.equal(task.restrictions.commands.mode, 'restricted');
      const outputs = task.outputVariables.map(({ name }) => name);
      // Names that the pipeline's author chooses begin as an input says.
      const chosen = task.restrictions.settableVariables.allowed.filter((name) => name.endsWith('_*'));
      assert.deepEqual(task.restrictions.settableVariables.allowed, [...outputs, ...chosen]);
      const help = task.inputs.map(({ helpMarkDown }) => helpMarkDown).join('\n');
      for (const name of chosen) assert.match(help, new RegExp(`\`${name.slice(0, -1)}NAME\``));
    });

    it('explains every input and output', () => {
      const groups = (task.groups ?? []).map(({ name }) => name);
      assert.deepEqual(
        task.inputs.flatMap((input) => unexplained(input, groups)),
        [],
      );
      for (const { name, description } of task.outputVariables) assert.match(description, /\S\.$/, name);
    });

    it('keeps every input and output that was shipped in this major version', () => {
      const shipped = readJson<Record<string, TaskContract>>('test/architecture/shipped-tasks.json');
      assert.deepEqual(contractBreaks(shipped[folder], task), []);
    });

    it('names inputs and outputs that the step reads and sets', () => {
      const step = task.name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
      const code = [...sourceFiles([`src/steps/${step}`], /\.ts$/), ...sharedByAllSteps]
        .map(({ text }) => text)
        .join('\n');
      const names = [...task.inputs, ...task.outputVariables].map(({ name }) => name);
      assert.deepEqual(
        names.filter((name) => !new RegExp(`['\\s]${name}['":,\\s]`).test(code)),
        [],
      );
    });

    it('has an icon of 32 pixels', () => {
      const icon = readFileSync(resolve(ROOT, 'tasks', folder, 'icon.png'));
      assert.deepEqual(pngSize(icon), { width: 32, height: 32 });
    });

    (existsSync(SCHEMA) ? it : it.skip)('passes tasks.schema.json (needs ../shared/specs)', () => {
      const ajv = new AjvDraft04.default({ strict: false, unicodeRegExp: false });
      const validate = ajv.compile(JSON.parse(readFileSync(SCHEMA, 'utf8')));
      assert.ok(validate(task), ajv.errorsText(validate.errors));
    });
  });
}

describe('manifest of the extension', () => {
  it('contributes every task', () => {
    const contributed = extension.contributions.filter(({ type }) => type === 'ms.vss-distributed-task.task');
    const named = contributed.map(({ properties }) => properties.name).sort();
    assert.deepEqual(named, [...new Set(tasks.map(({ task }) => `tasks/${task.name}`))].sort());
  });

  it('contributes each type of service connection that an input of a task names, beside those of Azure DevOps', () => {
    const types = tasks.flatMap(({ task }) =>
      task.inputs.flatMap(({ type }) => (type.startsWith('connectedService:') ? [type.split(':')[1] ?? ''] : [])),
    );
    const contributed = extension.contributions.filter(({ type }) => type === 'ms.vss-endpoint.service-endpoint-type');
    assert.deepEqual(
      contributed.map(({ properties }) => properties.name).sort(),
      [...new Set(types)].filter((type) => type !== 'AzureRM').sort(),
    );
  });

  it('stores no secret in a connection to a gateway, and verifies it where no token is needed', () => {
    const gateway = extension.contributions.find(({ properties }) => properties.name === 'plumbline-gateway');
    assert.ok(gateway);
    const { dataSources, authenticationSchemes } = gateway.properties;
    assert.deepEqual(dataSources, [
      { name: 'TestConnection', endpointUrl: '{{{endpoint.url}}}/v1/about', resultSelector: 'jsonpath:$.name' },
    ]);
    assert.deepEqual(
      (authenticationSchemes as { type: string }[]).map(({ type }) => type.split('auth-scheme-')[1]).sort(),
      ['none', 'workload-identity-federation'],
    );
    assert.doesNotMatch(JSON.stringify(gateway), /"isConfidential":true|passwordbox/);
  });

  it('verifies a connection to an Airflow where no token is needed, and hides what it stores', () => {
    const airflow = extension.contributions.find(({ properties }) => properties.name === 'plumbline-airflow');
    assert.ok(airflow);
    const { dataSources, authenticationSchemes, inputDescriptors } = airflow.properties;
    assert.deepEqual(dataSources, [
      {
        name: 'TestConnection',
        endpointUrl: '{{{endpoint.url}}}/api/v2/version',
        resultSelector: 'jsonpath:$.version',
      },
    ]);
    const schemes = authenticationSchemes as {
      type: string;
      inputDescriptors?: { id: string; isConfidential: boolean }[];
    }[];
    assert.deepEqual(schemes.map(({ type }) => type.split('auth-scheme-')[1]).sort(), [
      'basic',
      'none',
      'token',
      'workload-identity-federation',
    ]);
    const fields = [...schemes.flatMap((scheme) => scheme.inputDescriptors ?? []), ...(inputDescriptors as [])];
    const confidential = fields.filter(({ isConfidential }) => isConfidential).map(({ id }) => id);
    assert.deepEqual(confidential.sort(), ['apitoken', 'password']);
  });

  it('asks for the scopes that docs/decisions/0002-scopes.md explains', () => {
    const decision = readFileSync(resolve(ROOT, 'docs/decisions/0002-scopes.md'), 'utf8');
    const explained = [...decision.matchAll(/^- `(vso\.\w+)`/gm)].map(([, scope]) => scope);
    assert.deepEqual(extension.scopes, explained);
  });

  it('has an icon of 128 pixels', () => {
    assert.deepEqual(pngSize(readFileSync(resolve(ROOT, extension.icons.default))), { width: 128, height: 128 });
  });

  it('is staged with one version, and each task with the major of its folder', async function () {
    this.timeout(60_000);
    const { folder: staged } = await buildExtension();
    const built = JSON.parse(readFileSync(resolve(staged, 'vss-extension.json'), 'utf8')) as ExtensionManifest;
    assert.equal(built.version, productVersion());
    for (const { folder, task } of tasks) {
      const path = resolve(staged, 'tasks', task.name, folder, 'task.json');
      const { version } = JSON.parse(readFileSync(path, 'utf8')) as TaskManifest;
      const [, minor, patch] = productVersion().split('.').map(Number);
      assert.deepEqual(version, { Major: Number(/\d+$/.exec(folder)?.[0]), Minor: minor, Patch: patch });
    }
  });

  it('has the version that code and worker say they have', () => {
    assert.equal(PRODUCT_VERSION, productVersion());
    const worker = sourceFiles(['src/worker'], /(__init__\.py|pyproject\.toml)$/).flatMap(({ path, text }) => {
      const version = /^(?:__version__|version) = "(.+)"$/m.exec(text)?.[1];
      return version === undefined ? [] : [[path, version]];
    });
    assert.deepEqual(worker, [
      ['src/worker/plumbline_luigi/__init__.py', productVersion()],
      ['src/worker/pyproject.toml', productVersion()],
    ]);
  });

  it('has the version that README and CHANGELOG name', () => {
    assert.ok(readFileSync(resolve(ROOT, 'README.md'), 'utf8').includes(`Version ${productVersion()}, `));
    assert.match(readFileSync(resolve(ROOT, 'CHANGELOG.md'), 'utf8'), new RegExp(`^## ${productVersion()}\\b`, 'm'));
  });

  it('has a development form whose extension and tasks have ids of their own, always the same', () => {
    assert.notEqual(developmentManifest({ ...extension }).id, extension.id);
    const ids = tasks.flatMap(({ task }) => [task.id, developmentManifest({ ...task }).id]);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, UUID);
    assert.deepEqual(
      ids,
      tasks.flatMap(({ task }) => [task.id, developmentManifest({ ...task }).id]),
    );
  });
});
