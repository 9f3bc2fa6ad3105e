// A process that appends as fast as it can and tells each record that is on the disk: `<sequence> <hash>` a line, or `refused`.
// Arguments: the log's folder, the folder of keys, how many appends at once, and a user id to become first.
import { writeSync } from 'node:fs';
import { loadAuditKeys } from '#gateway/audit/audit-keys.ts';
import { openAuditLog } from '#gateway/audit/open-audit-log.ts';

const [directory = '', keyDirectory = '', width = '8', user] = process.argv.slice(2);
if (user !== undefined) process.setuid?.(Number(user));

function tell(line: string): void {
  writeSync(1, `${line}\n`);
}

try {
  const keys = await loadAuditKeys({ directory: keyDirectory });
  const log = await openAuditLog({
    directory,
    keys,
    rotateBytes: 20_000,
    checkpoint: { everyRecords: 40 },
    onProblem: (message) => tell(`problem ${message}`),
  });
  tell('open');
  const writers = Array.from({ length: Number(width) }, async (_, writer) => {
    for (let count = 0; ; count += 1) {
      const event = { type: 'dev.plumbline.run.end', subject: `${writer}-${count}`, data: { state: 'succeeded' } };
      await log.append(event).then(
        ({ sequence, hash }) => tell(`${sequence} ${hash}`),
        async (error) => {
          tell(`refused ${error.code}`);
          await new Promise((wake) => setTimeout(wake, 20));
        },
      );
    }
  });
  await Promise.all(writers);
} catch (error) {
  tell(`failed ${(error as { code?: string }).code}`);
  process.exitCode = 1;
}
