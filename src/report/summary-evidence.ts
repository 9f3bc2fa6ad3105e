import { CAPS } from './caps.ts';
import { inline, join, type Markdown, md, table } from './markdown.ts';
import type { Cut, IdentityFacts, LineageReceipt, Report, ReportDataset, SecretUse } from './schema.ts';
import { trusted } from './trusted.ts';

const LABEL = CAPS.summaryLabel;

const ROLES: Readonly<Record<ReportDataset['role'], string>> = {
  written: '✏️ written by this run',
  read: '📖 read',
  present: '☑️ was there before',
  unwritten: '▫️ not written',
};

export function summaryData({ datasets }: Report): Markdown[] {
  if (datasets.length === 0) return [];
  const rows = datasets
    .slice(0, CAPS.summaryDatasets)
    .map(({ namespace, name, type, role }) => [
      inline(name, LABEL),
      inline(namespace, LABEL),
      inline(type, LABEL),
      trusted(ROLES[role]),
    ]);
  return [
    md`### Data`,
    table([md`Dataset`, md`Where`, md`Type`, md`Role`], rows),
    ...(datasets.length > rows.length
      ? [md`… and ${datasets.length - rows.length} more; they are in the report.`]
      : []),
  ];
}

/** Whom the run acted as and which secrets it was given: names only. */
export function summaryIdentity({ identity, gateway, secrets }: Report): Markdown[] {
  if (!identity && secrets.length === 0) return [];
  return [
    md`### Identity and secrets`,
    identity ? identityTable(identity) : noIdentity(gateway),
    ...secretTable(secrets),
  ];
}

function noIdentity(gateway: Report['gateway']): Markdown {
  return gateway ? md`The pipeline signed in by its own token; no secret is stored.` : md`No identity was used.`;
}

function identityTable({ kind, connection, ...texts }: IdentityFacts): Markdown {
  const how =
    kind === 'federated'
      ? md`workload identity federation, no stored secret`
      : md`managed identity of the agent's machine`;
  const rows: (readonly [Markdown, string | undefined])[] = [
    [md`Service connection`, connection.name ? `${connection.name} (${connection.id})` : connection.id],
    [md`Client`, texts.clientId],
    [md`Tenant`, texts.tenantId],
    [md`Issuer`, texts.issuer],
    [md`Subject`, texts.subject],
  ];
  return table(
    [md`Signed in by`, how],
    rows.filter(([, text]) => text).map(([words, text]) => [words, inline(text ?? '', CAPS.summaryLine)]),
  );
}

function secretTable(secrets: readonly SecretUse[]): Markdown[] {
  if (secrets.length === 0) return [];
  const rows = secrets
    .slice(0, CAPS.summarySecrets)
    .map(({ vault, name, version, target }) => [
      inline(name, LABEL),
      inline(vault, LABEL),
      inline(version ?? '', LABEL),
      inline(target ?? '', LABEL),
    ]);
  const left = secrets.length - rows.length;
  return [
    table([md`Secret`, md`Vault`, md`Version`, md`Given as`], rows),
    ...(left > 0 ? [md`… and ${left} more.`] : []),
  ];
}

export function summaryLineage(lineage: LineageReceipt | undefined): Markdown[] {
  if (!lineage) return [];
  const where =
    lineage.sink === 'run' ? md`attached to this run as plumbline-lineage` : md`written to a file on the agent`;
  const facts = [
    [md`Events`, md`${lineage.events} (OpenLineage 2-0-2), ${where}`],
    [md`Run of the workflow`, inline(lineage.workflowRunId, LABEL)],
    [md`Run of this step`, inline(lineage.stepRunId, LABEL)],
  ];
  return [md`### Lineage`, table([md`Namespace`, inline(lineage.namespace, LABEL)], facts)];
}

/** What is not in the report either. */
export function summaryCut(cuts: readonly Cut[]): Markdown[] {
  if (cuts.length === 0) return [];
  const parts = cuts.map(({ what, kept, total }) => md`${trusted(what)}: ${kept} of ${total}`);
  return [md`⚠️ **Not everything was kept.** ${join(parts, ', ')}.`];
}
