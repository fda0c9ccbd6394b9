WITH drawn AS 
(SELECT CASE WHEN (CAST("logs"."predictions"."written" AS TEXT) = 'true') THEN 1.0 WHEN (CAST("logs"."predictions"."written" AS TEXT) = 'false') THEN 0.0 WHEN contains(CAST("logs"."predictions"."written" AS TEXT), '_') THEN NULL ELSE TRY_CAST(CAST("logs"."predictions"."written" AS TEXT) AS DOUBLE PRECISION) END AS c0, CAST("logs"."predictions"."seats" AS DOUBLE PRECISION) AS c1, CAST("logs"."predictions"."late" AS DOUBLE PRECISION) AS c2, CASE WHEN (CAST(json_extract_string("logs"."predictions"."inputs", '/speed') AS TEXT) = 'true') THEN 1.0 WHEN (CAST(json_extract_string("logs"."predictions"."inputs", '/speed') AS TEXT) = 'false') THEN 0.0 WHEN contains(CAST(json_extract_string("logs"."predictions"."inputs", '/speed') AS TEXT), '_') THEN NULL ELSE TRY_CAST(CAST(json_extract_string("logs"."predictions"."inputs", '/speed') AS TEXT) AS DOUBLE PRECISION) END AS c3, CAST(CASE WHEN json_valid("logs"."predictions"."document") THEN json_extract_string("logs"."predictions"."document", '/class') END AS TEXT) AS c4, substr(sha256(getvariable('driftline_key') || CAST("logs"."predictions"."postcode" AS TEXT) || getvariable('driftline_key')), 1, 12) AS c5, CAST("logs"."predictions"."score" AS DOUBLE PRECISION) AS c6, "logs"."predictions"."ts" AS c7, "logs"."predictions"."id" AS k0 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00')
 SELECT drawn.c0, drawn.c1, drawn.c2, drawn.c3, drawn.c4, drawn.c5, drawn.c6, drawn.c7, newest.label 
FROM drawn LEFT OUTER JOIN (SELECT ranked.k0 AS k0, ranked.label AS label 
FROM (SELECT "labels"."id" AS k0, "labels"."y" AS label, row_number() OVER (PARTITION BY "labels"."id" ORDER BY "labels"."known_at" DESC, "labels"."y" IS NULL, CAST("labels"."y" AS TEXT) DESC) AS place 
FROM "labels" JOIN (SELECT DISTINCT drawn.k0 AS k0 
FROM drawn) AS wanted ON "labels"."id" = wanted.k0 
WHERE "labels"."known_at" IS NOT NULL) AS ranked 
WHERE ranked.place = 1) AS newest ON drawn.k0 = newest.k0;

