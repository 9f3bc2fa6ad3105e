import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Browser, launch } from 'puppeteer-core';
import { ROOT } from '../../scripts/repository.ts';

const ARGUMENTS = [
  // As root, and in containers that give no user namespaces, the sandbox cannot start.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--font-render-hinting=none',
];

/** A real Chromium, and what it leaves in files. */
export interface RunningBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** The Chromium of the npm package, which needs nothing of this machine but libc. */
export async function startBrowser(): Promise<RunningBrowser> {
  const unpacked = unpackedChromium();
  const folder = mkdtempSync(join(tmpdir(), 'browser-'));
  writeFileSync(join(folder, 'fonts.conf'), fontsOf(unpacked, folder));
  const browser = await launch({
    executablePath: join(unpacked, 'chromium'),
    headless: 'shell',
    // Of a test's own servers.
    acceptInsecureCerts: true,
    args: ARGUMENTS,
    userDataDir: join(folder, 'profile'),
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      TMPDIR: folder,
      LANG: 'C.UTF-8',
      LD_LIBRARY_PATH: join(unpacked, 'al2023/lib'),
      FONTCONFIG_FILE: join(folder, 'fonts.conf'),
    },
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The package's own names the folders of AWS Lambda. */
function fontsOf(unpacked: string, folder: string): string {
  const fonts = `<dir>${join(unpacked, 'fonts')}</dir><cachedir>${join(folder, 'fonts-cache')}</cachedir>`;
  return `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>${fonts}</fontconfig>\n`;
}

/** Beside the Python environments, once for each version of the package; 200 MB that take some seconds. */
function unpackedChromium(): string {
  const { version } = createRequire(import.meta.url)('../../node_modules/@sparticuz/chromium/package.json');
  const cache = resolve(ROOT, '.cache/chromium');
  const folder = join(cache, version);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const partial = mkdtempSync(join(cache, 'partial-'));
  try {
    execFileSync(process.execPath, [resolve(import.meta.dirname, 'unpack-chromium.mjs')], {
      env: { PATH: process.env['PATH'], TMPDIR: partial, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' },
    });
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    // Somebody else was faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
