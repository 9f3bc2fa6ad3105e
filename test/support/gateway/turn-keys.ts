import { systemClock } from '#core/clock.ts';
import { loadGatewayConfig } from '#gateway/config/load-gateway-config.ts';
import { administerKeys } from '#gateway/issuer/administer-keys.ts';
import { issuerKeys } from '#gateway/issuer/kept-keys.ts';

/** Prepares a key and removes the one that signs, again and again, until somebody ends it: `node turn-keys.ts CONFIG`. */
const keys = administerKeys(issuerKeys(loadGatewayConfig(process.argv[2] ?? '')), systemClock);
process.stdout.write('begins\n');
for (;;) {
  const { keys: after } = await keys.prepare();
  const active = after.find(({ state }) => state === 'active');
  if (active === undefined) throw new Error('no key is active');
  await keys.retire(active.kid, { atOnce: true });
}
