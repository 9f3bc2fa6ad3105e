import { readJson } from './repository.ts';

interface Input {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly type: string;
  readonly label: string;
  readonly required?: boolean;
  readonly defaultValue?: string;
  readonly helpMarkDown: string;
  readonly groupName?: string;
  readonly options?: Readonly<Record<string, string>>;
}

interface Task {
  readonly name: string;
  readonly friendlyName: string;
  readonly description: string;
  readonly helpMarkDown: string;
  readonly minimumAgentVersion: string;
  readonly version: { readonly Major: number };
  readonly groups: readonly { readonly name: string; readonly displayName: string }[];
  readonly inputs: readonly Input[];
  readonly outputVariables: readonly { readonly name: string; readonly description: string }[];
  readonly execution: Readonly<Record<string, unknown>>;
}

/** Of tasks that do not run everywhere. */
const PLATFORMS: Readonly<Record<string, string>> = { RunLuigi: 'Linux or macOS' };

/** The page of docs/tasks about a task, made of its task.json alone. */
export function describeTask(folder: string): { readonly path: string; readonly text: string } {
  const task = readJson<Task>(`tasks/${folder}/task.json`);
  const groups = [{ name: undefined, displayName: 'What to run' }, ...task.groups];
  const text = [
    `<!-- Made from tasks/${folder}/task.json by "npm run docs". -->`,
    `# ${task.name}@${task.version.Major}: ${task.friendlyName}`,
    task.description,
    task.helpMarkDown,
    yaml(task),
    '## Inputs',
    ...groups.flatMap(({ name, displayName }) => section(displayName, inputsOf(task, name))),
    '## Output variables',
    'Give the step a `name` and read them as `$(name.variable)`.',
    table(
      ['variable', 'what it holds'],
      task.outputVariables.map((output) => [`\`${output.name}\``, output.description]),
    ),
    '## Agent',
    `Agent ${task.minimumAgentVersion} or newer, on ${PLATFORMS[task.name] ?? 'Linux, macOS or Windows'}; the task runs on ${Object.keys(task.execution).join(' or ')}.`,
  ];
  return { path: `docs/tasks/${task.name}.md`, text: `${text.join('\n\n')}\n` };
}

function inputsOf(task: Task, group: string | undefined): Input[] {
  return task.inputs.filter(({ groupName }) => groupName === group);
}

function section(title: string, inputs: readonly Input[]): string[] {
  const rows = inputs.map((input) => [`\`${input.name}\``, input.helpMarkDown, allowed(input), standard(input)]);
  return [`### ${title}`, table(['input', 'meaning', 'type', 'default'], rows)];
}

function allowed({ type, options }: Input): string {
  if (options)
    return Object.keys(options)
      .map((option) => `\`${option}\``)
      .join(', ');
  if (type.startsWith('connectedService:')) return 'name of a service connection';
  return { multiLine: 'text of several lines', filePath: 'path', boolean: '`true`, `false`' }[type] ?? 'text';
}

function standard({ required, defaultValue }: Input): string {
  if (required) return '**required**';
  return defaultValue ? `\`${defaultValue}\`` : '';
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

function yaml({ name, version, inputs }: Task): string {
  const required = inputs.filter((input) => input.required).map((input) => `    ${input.name}: ''`);
  const optional = inputs
    .filter((input) => !input.required)
    .map((input) => `    # ${input.name}: ${input.defaultValue ?? ''}`.trimEnd());
  return ['```yaml', `- task: ${name}@${version.Major}`, '  inputs:', ...required, ...optional, '```'].join('\n');
}
