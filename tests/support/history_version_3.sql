-- A history of version 3, as a program of that version migrated the one of version 2. Keep the text as it is, since
-- such files exist.
BEGIN TRANSACTION;
CREATE TABLE corrections (session INTEGER NOT NULL REFERENCES sessions (id),
            number INTEGER NOT NULL, genre TEXT NOT NULL, corrected_at REAL NOT NULL, sound TEXT NOT NULL,
            PRIMARY KEY (session, number)) WITHOUT ROWID;
INSERT INTO "corrections" VALUES(1,2,'jazz',1300.25,'corrections/jazz/1-2.wav');
INSERT INTO "corrections" VALUES(2,1,'blues',1301.5,'/music/song.flac');
CREATE TABLE events (session INTEGER NOT NULL REFERENCES sessions (id), number INTEGER NOT NULL,
        occurred_at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL,
        PRIMARY KEY (session, number)) WITHOUT ROWID;
INSERT INTO "events" VALUES(1,1,1000.0,'warming_up','');
INSERT INTO "events" VALUES(1,2,1005.6,'gap','2 gaps, 300 samples lost');
INSERT INTO "events" VALUES(1,3,1005.6,'device','USB microphone');
INSERT INTO "events" VALUES(1,4,1015.6,'title','Kind of Blue');
INSERT INTO "events" VALUES(1,5,1020.0,'ended','the station ended');
INSERT INTO "events" VALUES(2,1,1126.0,'ended','');
CREATE TABLE "segment_audio" (session INTEGER NOT NULL REFERENCES sessions (id),
            number INTEGER NOT NULL, from_seconds REAL NOT NULL, to_seconds REAL NOT NULL, file TEXT NOT NULL,
            PRIMARY KEY (session, number)) WITHOUT ROWID;
INSERT INTO "segment_audio" VALUES(1,1,0.0,5.5,'');
INSERT INTO "segment_audio" VALUES(1,2,5.5,15.5,'');
INSERT INTO "segment_audio" VALUES(1,3,15.5,16.0,'');
INSERT INTO "segment_audio" VALUES(1,4,16.0,16.5,'');
INSERT INTO "segment_audio" VALUES(2,1,100.0,125.0,'/music/song.flac');
INSERT INTO "segment_audio" VALUES(3,1,200.0,205.0,'');
CREATE TABLE segments (session INTEGER NOT NULL REFERENCES sessions (id), number INTEGER NOT NULL,
        genre TEXT, state TEXT NOT NULL, started REAL NOT NULL, ended REAL NOT NULL, seconds REAL NOT NULL,
        confidence REAL, estimates INTEGER NOT NULL, PRIMARY KEY (session, number)) WITHOUT ROWID;
INSERT INTO "segments" VALUES(1,1,'jazz','LISTENING',1000.0,1005.5,5.5,0.8,2);
INSERT INTO "segments" VALUES(1,2,'rock','LISTENING',1005.5,1015.5,5.5,0.8,2);
INSERT INTO "segments" VALUES(1,3,NULL,'SILENT',1015.5,1016.0,0.5,NULL,1);
INSERT INTO "segments" VALUES(1,4,'blues','UNSURE',1016.0,1016.5,0.5,0.4,1);
INSERT INTO "segments" VALUES(2,1,'jazz','LISTENING',1100.0,1125.0,10.0,0.8,2);
INSERT INTO "segments" VALUES(3,1,'rock','LISTENING',1200.0,1205.0,5.0,0.8,1);
CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL, model TEXT NOT NULL, model_version TEXT NOT NULL,
        started REAL NOT NULL, last_seen_at REAL NOT NULL, ended REAL);
INSERT INTO "sessions" VALUES(1,'key-1','radio','net','1.2',1000.0,1020.0,1020.0);
INSERT INTO "sessions" VALUES(2,'key-2','song.flac','net','1.2',1105.0,1126.0,1126.0);
INSERT INTO "sessions" VALUES(3,'key-3','microphone','net','1.2',1205.0,1700000100.0,NULL);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('sessions',3);
COMMIT;
PRAGMA application_id = 1333160050;
PRAGMA user_version = 3;
PRAGMA journal_mode = WAL;
