import type { Command } from './command.ts';
import { auditReport } from './commands/audit-report.ts';
import { auditVerify } from './commands/audit-verify.ts';
import { gatewayCheck } from './commands/gateway-check.ts';
import { gatewayServe } from './commands/gateway-serve.ts';
import { issuerActivate } from './commands/issuer-activate.ts';
import { issuerExport } from './commands/issuer-export.ts';
import { issuerKeys } from './commands/issuer-keys.ts';
import { issuerPrepare } from './commands/issuer-prepare.ts';
import { issuerRetire } from './commands/issuer-retire.ts';
import { policyCheck } from './commands/policy-check.ts';
import { policyExplain } from './commands/policy-explain.ts';
import { policySchema } from './commands/policy-schema.ts';
import { policyTest } from './commands/policy-test.ts';
import { storeBackup } from './commands/store-backup.ts';
import { storeCheck } from './commands/store-check.ts';
import { tokenExplain } from './commands/token-explain.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  gatewayServe,
  gatewayCheck,
  policyCheck,
  policyTest,
  policyExplain,
  policySchema,
  tokenExplain,
  issuerKeys,
  issuerPrepare,
  issuerActivate,
  issuerRetire,
  issuerExport,
  auditVerify,
  auditReport,
  storeBackup,
  storeCheck,
];
