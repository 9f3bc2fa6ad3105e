import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

/**
 * Kills what is still on its list when its standard input ends, which the death of whoever holds the other end does, too; with
 * children that lead groups of their own, as the DAG processor of Airflow 2's scheduler does.
 */
const SCRIPT = `
groups=' '
while read -r what pid; do
  case $what in
    leads) groups="$groups$pid " ;;
    gone) groups=$(printf %s "$groups" | sed "s/ $pid / /") ;;
  esac
done
for pid in $groups; do
  apart=$(ps -A -o ppid= -o pgid= | while read -r parent group; do [ "$parent" = "$pid" ] && echo "$group"; done)
  for group in $pid $apart; do kill -s KILL -- "-$group"; done
done
`;

/**
 * Ends process groups when this process is gone, however it ended: a test runner that is killed leaves no servers behind.
 * Does not keep this process alive.
 */
export class ProcessWatch {
  #shell: ChildProcess | undefined;

  /** A process that leads a group is to be watched. */
  leads(pid: number): void {
    this.#tell(`leads ${pid}`);
  }

  /** Its whole group has ended. */
  isGone(pid: number): void {
    this.#tell(`gone ${pid}`);
  }

  /** Kills what is still watched. */
  close(): void {
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #tell(line: string): void {
    this.#shell ??= start();
    this.#shell.stdin?.write(`${line}\n`);
  }
}

/** The groups that children of a process lead, which a signal to its own group does not reach. */
export function groupsOfChildren(pid: number): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'ppid=', '-o', 'pgid='], { encoding: 'utf8' }).split('\n');
  const groups = rows.map((row) => row.trim().split(/\s+/).map(Number)).filter(([parent]) => parent === pid);
  return [...new Set(groups.flatMap(([, group]) => group ?? []))].filter((group) => group !== pid);
}

function start(): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  shell.unref();
  // A pipe that has been asked not to keep the process alive.
  (shell.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return shell;
}
