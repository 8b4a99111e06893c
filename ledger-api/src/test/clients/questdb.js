// Writes to a QuestDB by its client library: node questdb.js PORT TOKEN
const { Sender } = require('@questdb/nodejs-client');
const [port, token] = process.argv.slice(2);
(async () => {
  const sender = await Sender.fromConfig(
    `http::addr=127.0.0.1:${port};token=${token};protocol_version=1;request_timeout=60000;`);
  try {
    await sender.table('cpu').symbol('host', 'a').floatColumn('value', 7).atNow();
    await sender.flush();
    console.log('ok');
  } catch (failure) {
    console.log('failed ' + failure.message);
  } finally {
    await sender.close();
  }
})();
