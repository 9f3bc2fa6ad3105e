import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolvePython } from '#engines/luigi/python-interpreter.ts';

describe('the choice of a Python', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'python-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A program that answers as a Python of these versions does. */
  function python(answer: object | string, path = 'python'): string {
    const text = typeof answer === 'string' ? answer : `echo '${JSON.stringify(answer)}'`;
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return `./${path}`;
  }

  const resolve = (choice: object) => resolvePython({ workingDirectory: folder, ...choice });
  const good = { path: '/usr/bin/python', version: '3.12.1', luigi: '3.8.1' };

  it('takes a path relative to the working directory, and what the interpreter says of itself', async () => {
    const found = await resolve({ python: python(good) });
    assert.deepEqual(found, { path: '/usr/bin/python', version: '3.12.1', luigiVersion: '3.8.1' });
  });

  it('takes the Python of a virtual environment', async () => {
    python(good, 'venv/bin/python');
    assert.equal((await resolve({ virtualEnv: 'venv' })).version, '3.12.1');
  });

  it('reads the last line: start-up files may print', async () => {
    const found = await resolve({ python: python(`echo hello; echo '${JSON.stringify(good)}'`) });
    assert.equal(found.luigiVersion, '3.8.1');
  });

  for (const [version, code] of [
    ['3.9.18', 'ERR_PYTHON_UNSUPPORTED'],
    ['3.14.0', 'ERR_PYTHON_UNSUPPORTED'],
    ['2.7.18', 'ERR_PYTHON_UNSUPPORTED'],
  ] as const) {
    it(`refuses Python ${version}`, async () => {
      await assert.rejects(resolve({ python: python({ ...good, version }) }), { code, remedy: /UsePythonVersion@0/ });
    });
  }

  for (const [luigi, code] of [
    [null, 'ERR_LUIGI_NOT_FOUND'],
    ['3.5.2', 'ERR_LUIGI_UNSUPPORTED'],
    ['3.9.0', 'ERR_LUIGI_UNSUPPORTED'],
    ['2.8.13', 'ERR_LUIGI_UNSUPPORTED'],
  ] as const) {
    it(`refuses Luigi ${luigi}`, async () => {
      await assert.rejects(resolve({ python: python({ ...good, luigi }) }), { code, remedy: /pip install/ });
    });
  }

  for (const version of ['3.10.0', '3.13.9']) {
    it(`takes Python ${version}`, async () => {
      assert.equal((await resolve({ python: python({ ...good, version }) })).version, version);
    });
  }

  for (const metadata of ['luigi-3.7.2.dist-info', 'luigi-3.7.2-py3.11.egg-info']) {
    it(`a real Python finds Luigi by ${metadata}`, async () => {
      mkdirSync(join(folder, 'site', 'luigi-3.0.0.post1'), { recursive: true });
      mkdirSync(join(folder, 'site', metadata));
      const found = await resolve({ python: python(`PYTHONPATH=${join(folder, 'site')} exec python3 "$@"`) });
      assert.equal(found.luigiVersion, '3.7.2');
    });
  }

  it('a real Python finds a Luigi that lies beside the tasks, without metadata', async () => {
    mkdirSync(join(folder, 'luigi'));
    writeFileSync(join(folder, 'luigi/__init__.py'), "__version__ = '3.8.0'\n");
    assert.equal((await resolve({ python: python('exec python3 "$@"') })).luigiVersion, '3.8.0');
  });

  it('says what it tried when there is none', async () => {
    await assert.rejects(resolve({ python: 'no-such-python' }), {
      code: 'ERR_PYTHON_NOT_FOUND',
      message: /no-such-python: not found/,
      remedy: /UsePythonVersion@0/,
    });
    await assert.rejects(resolve({ virtualEnv: 'venv' }), {
      code: 'ERR_PYTHON_NOT_FOUND',
      remedy: /python -m venv venv/,
    });
    await assert.rejects(resolve({ python: python('echo shim: version not installed >&2; exit 127') }), {
      code: 'ERR_PYTHON_NOT_FOUND',
      message: /shim: version not installed/,
    });
  });

  it('stops when the step is cancelled', async () => {
    const slow = python('sleep 20');
    await assert.rejects(resolvePython({ python: slow, workingDirectory: folder }, AbortSignal.timeout(50)), {
      name: 'TimeoutError',
    });
  });
});
