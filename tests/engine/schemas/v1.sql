PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE deliveries (
            number INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL,
            body TEXT NOT NULL, attempts INTEGER NOT NULL, due REAL NOT NULL);
CREATE TABLE events (
            job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE, number INTEGER NOT NULL,
            at REAL NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;
INSERT INTO "events" VALUES(1,1,1.0,'queued','{}');
INSERT INTO "events" VALUES(2,1,2.0,'queued','{}');
CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
            source TEXT NOT NULL, priority INTEGER NOT NULL, position REAL NOT NULL, parent TEXT, session TEXT NOT NULL,
            created REAL NOT NULL, started REAL, finished REAL, attempts INTEGER NOT NULL,
            error TEXT, result TEXT, settings TEXT, webhook TEXT);
INSERT INTO "jobs" VALUES(1,'task(txt2img-aaaaaaa)','txt2img','queued','api',0,1.0,NULL,'gone',1.0,NULL,NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES(2,'task(img2img-bbbbbbb)','img2img','done','api',0,0.0,NULL,'gone',2.0,3.0,4.0,0,NULL,'{"files": []}',NULL,NULL);
CREATE TABLE requests (job INTEGER PRIMARY KEY REFERENCES jobs (number) ON DELETE CASCADE, body TEXT NOT NULL);
INSERT INTO "requests" VALUES(1,'{"prompt": "a cat", "seed": 5, "subseed": 6}');
INSERT INTO "requests" VALUES(2,'{"prompt": "b"}');
CREATE INDEX jobs_by_id ON jobs (id);
CREATE INDEX jobs_by_state ON jobs (state);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('jobs',2);
COMMIT;
