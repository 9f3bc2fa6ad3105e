import type { AuditLog } from '../audit/audit-log.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';

/** The log, with every record counted that could not be written. */
export function countedAudit(audit: AuditLog, metrics: Pick<GatewayMetrics, 'auditFailed'>): AuditLog {
  return {
    append: async (event) => {
      try {
        return await audit.append(event);
      } catch (error) {
        metrics.auditFailed();
        throw error;
      }
    },
    checkpoint: () => audit.checkpoint(),
    problem: () => audit.problem(),
    close: () => audit.close(),
  };
}
