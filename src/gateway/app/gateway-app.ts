import { createHash, randomUUID } from 'node:crypto';
import type { RequestListener, Server } from 'node:http';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { AccessRecorder } from './access-recorder.ts';
import { addAirflowRoutes } from './airflow-routes.ts';
import { answerProblems, problemOf, sendProblem } from './answer-problems.ts';
import { API_SCHEMAS, RUN_ID } from './api-schemas.ts';
import type { AppServices } from './app-services.ts';
import { addBundleRoute } from './bundle-route.ts';
import { addDispatchRoutes } from './dispatch-routes.ts';
import { type Entrances, entrances } from './entrances.ts';
import './fastify-request.ts';
import type { Front } from './front.ts';
import { answerBrokenRequest, httpServer, type ServerCertificate, type ServerLimits } from './http-server.ts';
import { addIssuerRoutes } from './issuer-routes.ts';
import { networkOf } from './network-of.ts';
import { describeApi } from './open-api.ts';
import { addOperationRoutes } from './operation-routes.ts';
import { answerOtherMethods } from './other-methods.ts';
import { Problem } from './problem.ts';
import { guardRequests } from './request-guard.ts';
import type { RouteContext } from './route-context.ts';
import { addRunRoutes } from './run-routes.ts';
import { RunWatchers } from './run-watchers.ts';
import { addSignInRoutes } from './sign-in-routes.ts';
import { addStockWorkerRoutes } from './stock-worker-routes.ts';
import { addStoryRoutes } from './story-routes.ts';
import { strictBody } from './strict-body.ts';
import { addTokenRoutes } from './token-routes.ts';
import { trustedPeers } from './trusted-peers.ts';
import { addWatchRoute } from './watch-route.ts';

export interface AppOptions extends ServerLimits {
  readonly log: FastifyBaseLogger;
  readonly certificate?: ServerCertificate | undefined;
  /** Addresses and networks of proxies whose `X-Forwarded-For` is believed; tokens come through them only. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Before the paths of links; empty: links are paths. */
  readonly publicUrl?: string | undefined;
  /** What answers before the API does. */
  readonly front?: Front | undefined;
}

export interface GatewayApp {
  readonly app: FastifyInstance;
  /** Answers what comes in by the socket for workers of a Unix user; asked for once for each. */
  readonly forWorkersOf: (uid: number) => RequestListener;
  /** Ends the event streams; requests that run are finished by `app.close()`. */
  endStreams(): void;
}

const IS_RUN_ID = new RegExp(RUN_ID);
/** An event loop that is later than this takes nothing on. */
const MAX_LOOP_DELAY_MS = 1_000;

/** The API of the gateway, not listening yet. Everything that it stands on is in `services`. */
export async function gatewayApp(services: AppServices, options: AppOptions): Promise<GatewayApp> {
  const { app, ways } = emptyApp(options, services);
  const stop = new AbortController();
  const recorder = new AccessRecorder(services.audit, services.clock);
  const context: RouteContext = {
    services,
    recorder,
    watchers: new RunWatchers(services.runs),
    linkBase: options.publicUrl ?? '',
    timeouts: options.timeouts,
    maxWatchers: options.limits.watchers,
    streams: { open: 0 },
    stopping: stop.signal,
  };
  parseJson(app);
  validateStrictly(app);
  answerProblems(app, services.metrics);
  for (const schema of API_SCHEMAS) app.addSchema(schema);
  await protect(app);
  guard(app, { services, recorder, options, ways: ways() });
  measure(app, services);
  await describeApi(app, options.publicUrl);
  const routes = answerOtherMethods(app);
  addOperationRoutes(app, context);
  addRunRoutes(app, context);
  addWatchRoute(app, context);
  addStoryRoutes(app, context);
  await addBundleRoute(app, context);
  await addConfigured(app, services, ways());
  if (services.dispatch) addDispatchRoutes(app, context, services.dispatch);
  routes.complete();
  await app.ready();
  return {
    app,
    forWorkersOf: (uid) => ways().socketOf(uid),
    endStreams: () => stop.abort('the gateway stops, resume with Last-Event-ID'),
  };
}

/** What a gateway has only when its configuration says so. */
async function addConfigured(app: FastifyInstance, services: AppServices, { userOf }: Entrances): Promise<void> {
  const { issuer, taskTokens, airflow, stockWorkers, signIn } = services;
  if (issuer) addIssuerRoutes(app, issuer);
  if (taskTokens) await addTokenRoutes(app, { ...services, userOf }, taskTokens);
  if (airflow) addAirflowRoutes(app, services, airflow);
  if (stockWorkers) addStockWorkerRoutes(app, stockWorkers);
  if (signIn) await addSignInRoutes(app, services, signIn);
}

function emptyApp(options: AppOptions, { metrics }: AppServices): { app: FastifyInstance; ways: () => Entrances } {
  const { log, limits, timeouts, certificate, front, trustedProxies = [] } = options;
  let ways: Entrances | undefined;
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    bodyLimit: limits.bodyBytes,
    handlerTimeout: timeouts.requestMs,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    routerOptions: {
      caseSensitive: true,
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      maxParamLength: 100,
    },
    frameworkErrors: (error, request, reply) => void sendProblem(problemOf(error), request, reply, metrics),
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, randomUUID()),
    serverFactory: (handler) => {
      ways = entrances(handler, front);
      return httpServer(ways.listener, options, certificate) as Server;
    },
  });
  return { app, ways: () => ways as Entrances };
}

function parseJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    request.bodyHash = createHash('sha256').update(body).digest('hex');
    if (body.length === 0) return done(new Problem('body-malformed', 'The body is empty where JSON is expected'));
    try {
      strictBody(body);
    } catch (problem) {
      return done(problem as Problem);
    }
    return parse(request, body.toString('utf8'), done);
  });
}

/** Nothing is removed, and a number in a body is a number; only what comes as text in a path or query is read as one. */
function validateStrictly(app: FastifyInstance): void {
  const strict = new Ajv2020({ allErrors: true, useDefaults: true, strict: false });
  const reading = new Ajv2020({ allErrors: true, useDefaults: true, strict: false, coerceTypes: true });
  for (const ajv of [strict, reading]) {
    ajvFormats.default(ajv);
    for (const schema of API_SCHEMAS) ajv.addSchema(schema);
  }
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? strict : reading).compile(schema as object),
  );
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

async function protect(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    crossOriginResourcePolicy: { policy: 'same-origin' },
  });
  await app.register(underPressure, {
    maxEventLoopDelay: MAX_LOOP_DELAY_MS,
    pressureHandler: (request) => {
      // A probe must be able to tell a busy gateway from a dead one.
      if (request.routeOptions.config.public === true) return;
      throw new Problem('overloaded', 'The gateway has too much to do', { headers: { 'retry-after': '5' } });
    },
  });
  await app.register(rateLimit, { global: false });
}

interface Guarding {
  readonly services: AppServices;
  readonly recorder: AccessRecorder;
  readonly options: AppOptions;
  readonly ways: Entrances;
}

function guard(app: FastifyInstance, { services, recorder, options, ways }: Guarding): void {
  const { requestsPerAddress, requestsPerCaller } = options.limits;
  const timeWindow = 60_000;
  guardRequests(app, services, recorder, {
    perAddress: app.createRateLimit({ max: requestsPerAddress, timeWindow, keyGenerator: ({ ip }) => networkOf(ip) }),
    perCaller: app.createRateLimit({
      max: requestsPerCaller,
      timeWindow,
      keyGenerator: ({ caller }) => caller?.scope ?? '',
    }),
    trustsPeer: trustedPeers(options.trustedProxies),
    isLocal: ({ raw }) => ways.userOf(raw) !== undefined,
  });
}

function measure(app: FastifyInstance, { metrics }: AppServices): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    const { statusCode, elapsedTime } = reply;
    const { id = '' } = (request.params ?? {}) as { readonly id?: string };
    // A path may hold anything, also what somebody put there by mistake.
    const run = IS_RUN_ID.test(id) ? id : undefined;
    const facts = { route, run, method: request.method, status: statusCode, ms: Math.round(elapsedTime) };
    request.log.info(facts, 'answered');
    if (request.routeOptions.config.stream !== true) {
      metrics.request(route, request.method, statusCode, elapsedTime / 1_000);
    }
  });
}
