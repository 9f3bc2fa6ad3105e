import type { ServiceConnection } from '#core/connection.ts';
import type { Host } from '#core/host.ts';
import type { InputReader } from '../input-reader.ts';

/** What `runOn: gateway` adds. */
export interface GatewayInputs {
  /** Of the type `plumbline-gateway`. */
  readonly connection: ServiceConnection;
  readonly role: string;
  /** False: the step ends as soon as the run is accepted. */
  readonly wait: boolean;
}

const ROLE = /^[A-Za-z0-9][\w.-]{0,63}$/;
const NAMED = 'the name of a role of the gateway';

/** Inputs of agent mode, and who decides in their place at a gateway. */
const OF_AGENTS: Readonly<Record<string, string>> = {
  python: 'the role names the interpreter',
  virtualEnv: 'the role names the interpreter',
  workingDirectory: 'the role names where the code is',
  scheduler: 'the role names the scheduler',
  azureSubscription: 'the gateway has an identity of its own',
  keyVault: 'the role names the secrets',
  secrets: 'the role names the secrets',
  taskIdentity: 'the role names the identity of its workers',
};
/** What these are when nobody has set them. */
const DEFAULTS: Readonly<Record<string, string>> = { scheduler: 'local', taskIdentity: 'none' };
/** May hold what should not be shown. */
const NOT_SHOWN: ReadonlySet<string> = new Set(['secrets', 'scheduler']);

/** `undefined` for `runOn: agent`. Inputs of the other mode are refused, so that nobody takes them for followed. */
export function readGatewayInputs(reader: InputReader, host: Host): GatewayInputs | undefined {
  const runOn = reader.choice('runOn', ['agent', 'gateway']);
  const wait = reader.flag('wait', true);
  const role = reader.text('role');
  const connection = host.connections.selected('gateway');
  if (runOn === 'agent') return void refuseGatewayInputs(reader, { role, wait, connection });
  refuseAgentInputs(reader);
  if (role === undefined) reader.problem({ input: 'role', allowed: `${NAMED}, because of runOn: gateway` });
  else reader.matching('role', role, ROLE, NAMED);
  if (connection === undefined) {
    reader.problem({
      input: 'gateway',
      allowed: "a service connection of the type 'Plumbline gateway', because of runOn: gateway",
    });
    return undefined;
  }
  return { connection, role: role ?? '', wait };
}

interface Given {
  readonly role: string | undefined;
  readonly wait: boolean;
  readonly connection: ServiceConnection | undefined;
}

function refuseGatewayInputs(reader: InputReader, { role, wait, connection }: Given): void {
  const allowed = 'nothing unless runOn is gateway';
  if (connection !== undefined) reader.problem({ input: 'gateway', given: connection.id, allowed });
  if (role !== undefined) reader.problem({ input: 'role', given: role, allowed });
  if (!wait) reader.problem({ input: 'wait', given: 'false', allowed: 'true unless runOn is gateway' });
}

function refuseAgentInputs(reader: InputReader): void {
  for (const [input, why] of Object.entries(OF_AGENTS)) {
    const value = reader.text(input);
    if (value === undefined || value === DEFAULTS[input]) continue;
    const given = NOT_SHOWN.has(input) ? '(not shown)' : value;
    reader.problem({ input, given, allowed: `nothing with runOn: gateway, because ${why}` });
  }
}
