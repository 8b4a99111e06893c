// Better Auth's api-key verification behind an HTTP server of nothing else, a process for each core:
// node server.mjs PORT DATABASE_PORT. POST /verify asks; the line "ready KEY" says what to ask about.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// Its packages lie where the bench put them, not beside this file.
const require = createRequire(process.env.PACKAGES + '/');
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const { betterAuth } = await load('better-auth');
const { getMigrations } = await load('better-auth/db/migration');
const { apiKey } = await load('@better-auth/api-key');
const { default: pg } = await load('pg');

const [port, databasePort] = process.argv.slice(2);
const options = {
  baseURL: `http://127.0.0.1:${port}`,
  secret: 'a secret of the bench and of nothing else',
  telemetry: { enabled: false },
  logger: { disabled: true },
  database: new pg.Pool({
    host: '127.0.0.1', port: Number(databasePort), user: 'peer', password: 'peer', database: 'peer', max: 8,
  }),
  emailAndPassword: { enabled: true },
  // What its documentation offers for speed: the counters are written after the answer.
  advanced: { backgroundTasks: { handler: (task) => { task.catch(() => {}); } } },
  plugins: [apiKey({ rateLimit: { enabled: false }, deferUpdates: true })],
};
const auth = betterAuth(options);

if (cluster.isPrimary) {
  await (await getMigrations(options)).runMigrations();
  const { user } = await auth.api.signUpEmail({
    body: { name: 'asked', email: 'asked@example.com', password: 'a password of the bench' },
  });
  const { key } = await auth.api.createApiKey({
    body: { name: 'asked', userId: user.id, permissions: { db: ['read', 'write'] } },
  });
  let listening = 0;
  cluster.on('listening', () => {
    listening += 1;
    if (listening === availableParallelism()) {
      console.log(`ready ${key}`);
    }
  });
  for (let i = 0; i < availableParallelism(); i += 1) {
    cluster.fork();
  }
  process.on('SIGTERM', () => {
    Object.values(cluster.workers).forEach((worker) => worker.kill());
    process.exit(0);
  });
} else {
  createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const answer = await auth.api.verifyApiKey({ body: JSON.parse(Buffer.concat(chunks)) });
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ valid: answer.valid }));
    });
  }).listen(Number(port), '127.0.0.1');
}
