SELECT count(*) AS count_1 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00';

WITH drawn AS 
(SELECT CASE WHEN (typeof("logs"."predictions"."distance") = 'real') THEN "logs"."predictions"."distance" WHEN (typeof("logs"."predictions"."distance") = 'integer') THEN CAST("logs"."predictions"."distance" AS DOUBLE) END AS c0, CAST("logs"."predictions"."carrier" AS TEXT) AS c1, CASE WHEN (typeof("logs"."predictions"."score") = 'real') THEN "logs"."predictions"."score" WHEN (typeof("logs"."predictions"."score") = 'integer') THEN CAST("logs"."predictions"."score" AS DOUBLE) END AS c2, "logs"."predictions"."ts" AS c3, "logs"."predictions"."id" AS k0, md5(CASE typeof('7' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '')) WHEN 'text' THEN CAST('7' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '') AS BLOB) END) COLLATE "BINARY" AS lot 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' ORDER BY lot, c0, c1, c2, c3
 LIMIT 100 OFFSET 0)
 SELECT drawn.c0, drawn.c1, drawn.c2, drawn.c3, newest.label 
FROM drawn LEFT OUTER JOIN (SELECT ranked.k0 AS k0, ranked.label AS label 
FROM (SELECT "labels"."id" AS k0, CAST("labels"."y" AS BIGINT) AS label, row_number() OVER (PARTITION BY "labels"."id" ORDER BY "labels"."known_at" DESC, CAST("labels"."y" AS BIGINT) IS NULL, CAST(CAST("labels"."y" AS BIGINT) AS TEXT) COLLATE "BINARY" DESC) AS place 
FROM "labels" JOIN (SELECT DISTINCT drawn.k0 AS k0 
FROM drawn) AS wanted ON "labels"."id" = wanted.k0 
WHERE "labels"."known_at" >= TIMESTAMP WITH TIME ZONE '1980-01-01 00:00:00+00:00' AND "labels"."known_at" < TIMESTAMP WITH TIME ZONE '2013-04-03 00:00:00.250001+00:00') AS ranked 
WHERE ranked.place = 1) AS newest ON drawn.k0 = newest.k0 ORDER BY drawn.lot, drawn.c0, drawn.c1, drawn.c2, drawn.c3;

