/**
 * What the agent puts into a task's environment for the task alone: inputs, secret variables, credentials of service
 * connections, secure files, task variables, proxy passwords, the job's own token (Handler.cs, TaskRunner.cs of the agent).
 */
const AGENT_INTERNALS =
  /^(INPUT_|ENDPOINT_|SECRET_|SECUREFILE_|VSTS_TASKVARIABLE_|VSTS_(SECRET|PUBLIC)_VARIABLES$|SYSTEM_ACCESSTOKEN$|SYSTEM_(CLIENTSECRET|JOBTOKEN)$|(AGENT_PROXY|VSTS_HTTP_PROXY_?)PASSWORD$|AGENT_CLIENTCERT|PLUMBLINE_)/i;

/**
 * The environment that user code finds: the step's own (`BUILD_*`, `SYSTEM_*`, `AGENT_*`, `VSTS_PROCESS_LOOKUP_ID` by which the
 * agent finds left processes, `PATH`, …) without what belongs to the task alone.
 */
export function stepEnvironment(own: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const kept = Object.entries(own).filter(([name, value]) => value !== undefined && !AGENT_INTERNALS.test(name));
  return Object.fromEntries(kept) as Record<string, string>;
}
