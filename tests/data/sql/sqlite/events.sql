SELECT count(*) AS count_1 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= TIMESTAMP '2013-04-01 10:00:00' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-01 13:00:00';

WITH drawn AS 
(SELECT CASE WHEN (typeof("logs"."predictions"."distance") = 'real') THEN "logs"."predictions"."distance" WHEN (typeof("logs"."predictions"."distance") = 'integer') THEN CAST("logs"."predictions"."distance" AS DOUBLE) END AS c0, CAST("logs"."predictions"."carrier" AS TEXT) AS c1, CASE WHEN (typeof("logs"."predictions"."score") = 'real') THEN "logs"."predictions"."score" WHEN (typeof("logs"."predictions"."score") = 'integer') THEN CAST("logs"."predictions"."score" AS DOUBLE) END AS c2, "logs"."predictions"."naive" AS c3, "logs"."predictions"."id" AS k0, CAST(round((CAST("logs"."predictions"."naive" AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT) AS moment, CASE WHEN ("logs"."predictions"."naive" < TIMESTAMP '2013-04-02 22:00:00.250001') THEN CAST(FALSE AS BIGINT) END AS absent, md5('7' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '')) COLLATE "BINARY" AS lot 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= TIMESTAMP '2013-04-01 10:00:00' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-01 13:00:00' ORDER BY lot, c0, c1, c2, c3
 LIMIT 100 OFFSET 0)
 SELECT drawn.c0, drawn.c1, drawn.c2, drawn.c3, coalesce(newest.label, drawn.absent) AS label 
FROM drawn LEFT OUTER JOIN (SELECT ranked.k0 AS k0, ranked.moment AS moment, ranked.label AS label 
FROM (SELECT "labels"."id" AS k0, wanted.moment AS moment, CAST("labels"."y" AS BIGINT) AS label, row_number() OVER (PARTITION BY "labels"."id", wanted.moment ORDER BY "labels"."known_at" IS NULL, "labels"."known_at" DESC, rtrim("labels"."zulu" COLLATE "BINARY", 'Zz') DESC, CAST("labels"."y" AS BIGINT) IS NULL, CAST(CAST("labels"."y" AS BIGINT) AS TEXT) COLLATE "BINARY" DESC) AS place 
FROM "labels" JOIN (SELECT DISTINCT drawn.k0 AS k0, drawn.moment AS moment 
FROM drawn) AS wanted ON "labels"."id" = wanted.k0 
WHERE rtrim("labels"."zulu" COLLATE "BINARY", 'Zz') < '2013-04-03T00:00:00.250001' AND "labels"."known_at" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "labels"."known_at" < TIMESTAMP WITH TIME ZONE '2013-04-01 14:00:00+00:00' AND CAST(round((CAST("labels"."known_at" AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT) >= wanted.moment AND CAST(round((CAST("labels"."known_at" AS DOUBLE) / (1000000.0 + 0.0)) * (8589934592000000 / 8589934592.0)) AS BIGINT) - wanted.moment <= 3600000000) AS ranked 
WHERE ranked.place = 1) AS newest ON drawn.k0 = newest.k0 AND drawn.moment = newest.moment ORDER BY drawn.lot, drawn.c0, drawn.c1, drawn.c2, drawn.c3;

