// Receives CloudEvents by the SDK of CloudEvents: node cloudevents.js. Prints its port, then a line an event.
const http = require('http');
const { HTTP, CloudEvent } = require('cloudevents');
const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    try {
      const body = Buffer.concat(parts).toString('utf8');
      const read = HTTP.toEvent({ headers: request.headers, body });
      const events = Array.isArray(read) ? read : [read];
      for (const event of events) {
        if (!(event instanceof CloudEvent) || !event.validate()) {
          throw new Error('not valid: ' + JSON.stringify(event));
        }
        const name = (event.data.payload.name ?? '-').toString();
        console.log(['event', event.tlogindex, event.id, event.type, name].join(' '));
      }
      response.writeHead(204).end();
    } catch (failure) {
      console.log('failed ' + failure.message);
      response.writeHead(422).end();
    }
  });
});
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
