// Asks an InfluxDB 1.x by its client library: node influx1.js PORT TOKEN write|query|create
const { InfluxDB } = require('influx');
const [port, token, verb] = process.argv.slice(2);
const client = new InfluxDB({
  host: '127.0.0.1', port: Number(port), database: 'mydb', username: 'any', password: token,
});
const asked = {
  write: () => client.writePoints([{ measurement: 'cpu', tags: { host: 'a' }, fields: { value: 7 } }]),
  query: () => client.query('SELECT value FROM cpu'),
  create: () => client.createDatabase('other'),
}[verb];
asked().then(
  (answer) => console.log('ok ' + JSON.stringify(answer ?? null)),
  (failure) => console.log('failed ' + failure.message),
);
