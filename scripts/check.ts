// npm run check: types, lint, format, and whether generated pages are current. Changes nothing.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { taskFolders } from './build-extension.ts';
import { describeTask } from './describe-task.ts';
import { ROOT } from './repository.ts';

/** Ends with whether the tool was content; what it says otherwise is shown. */
function tool(name: string, ...args: string[]): Promise<boolean> {
  return new Promise((done) => {
    const child = spawn(resolve(ROOT, 'node_modules/.bin', name), args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => output.push(part));
    child.on('error', (error) => output.push(Buffer.from(error.message)));
    child.on('close', (status) => {
      if (status !== 0) console.log(`${name}:\n${Buffer.concat(output).toString().trim()}`);
      done(status === 0);
    });
  });
}

function stalePages(): string[] {
  const pages = taskFolders().map(describeTask);
  return pages
    .filter(({ path, text }) => !existsSync(resolve(ROOT, path)) || readFileSync(resolve(ROOT, path), 'utf8') !== text)
    .map(({ path }) => path);
}

const stale = stalePages();
for (const path of stale) console.log(`${path} is not current. Run "npm run docs".`);
const tools = await Promise.all([tool('tsc', '-p', '.'), tool('biome', 'check', '--error-on-warnings')]);
if (stale.length > 0 || tools.includes(false)) process.exitCode = 1;
