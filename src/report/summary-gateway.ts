import { CAPS } from './caps.ts';
import { inline, join, type Markdown, md, table } from './markdown.ts';
import type { GatewayFacts } from './schema.ts';

const MAX = CAPS.summaryLine;

/** Under which role, rule and code a gateway ran it, and whether the worker was kept apart. */
export function summaryGateway(gateway: GatewayFacts | undefined): Markdown[] {
  if (!gateway) return [];
  const { url, runId, role, binding, policy, mode, isolation, starts } = gateway;
  const rows: (readonly Markdown[])[] = [
    [md`Run there`, inline(runId, MAX)],
    [md`Role`, inline(role, MAX)],
    ...(binding ? [[md`Admitted by`, join([inline(binding, MAX), reportOnly(mode)], ' · ')]] : []),
    [md`Policy (SHA-256)`, inline(policy, MAX)],
    [md`Code`, code(gateway)],
    [md`Isolation`, isolation === 'none' ? md`⚠️ none: the worker ran as the gateway itself` : inline(isolation, MAX)],
    ...(starts > 1 ? [[md`Starts of a worker`, md`${starts}`]] : []),
  ];
  return [md`### Gateway`, table([md`Gateway`, inline(url, MAX)], rows)];
}

function reportOnly(mode: string): Markdown {
  return mode === 'enforce' ? md`` : inline(`mode ${mode}`, MAX);
}

function code({ code: facts }: GatewayFacts): Markdown {
  if (!facts) return md`not known`;
  const { kind, version, digest, commit, commitProof } = facts;
  const proof = commitProof ? `commit ${commit?.slice(0, 10) ?? ''} (${commitProof})` : '';
  return join(
    [kind, version ?? '', digest ?? '', proof].map((text) => inline(text, MAX)),
    ' · ',
  );
}
