WITH drawn AS 
(SELECT CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) AS c0, CAST(CASE WHEN json_valid(CAST("logs"."predictions"."inputs" AS TEXT)) THEN json_extract_string(CAST("logs"."predictions"."inputs" AS TEXT), '/it''s a/"key"\') END AS TEXT) AS c1, CASE WHEN (CAST(CASE WHEN json_valid(CAST("logs"."predictions"."document" AS TEXT)) THEN json_extract_string(CAST("logs"."predictions"."document" AS TEXT), '/it''s a/"key"\') END AS TEXT) = 'true') THEN 1.0 WHEN (CAST(CASE WHEN json_valid(CAST("logs"."predictions"."document" AS TEXT)) THEN json_extract_string(CAST("logs"."predictions"."document" AS TEXT), '/it''s a/"key"\') END AS TEXT) = 'false') THEN 0.0 WHEN contains(CAST(CASE WHEN json_valid(CAST("logs"."predictions"."document" AS TEXT)) THEN json_extract_string(CAST("logs"."predictions"."document" AS TEXT), '/it''s a/"key"\') END AS TEXT), '_') THEN NULL ELSE TRY_CAST(CAST(CASE WHEN json_valid(CAST("logs"."predictions"."document" AS TEXT)) THEN json_extract_string(CAST("logs"."predictions"."document" AS TEXT), '/it''s a/"key"\') END AS TEXT) AS DOUBLE PRECISION) END AS c2, CAST("logs"."predictions"."score" AS DOUBLE PRECISION) AS c3, "logs"."predictions"."ts" AS c4, "logs"."predictions"."id" AS k0 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00')
 SELECT drawn.c0, drawn.c1, drawn.c2, drawn.c3, drawn.c4, newest.label 
FROM drawn LEFT OUTER JOIN (SELECT ranked.k0 AS k0, ranked.label AS label 
FROM (SELECT "labels"."id" AS k0, "labels"."y" AS label, row_number() OVER (PARTITION BY "labels"."id" ORDER BY "labels"."known_at" DESC, "labels"."y" IS NULL, CAST("labels"."y" AS TEXT) DESC) AS place 
FROM "labels" JOIN (SELECT DISTINCT drawn.k0 AS k0 
FROM drawn) AS wanted ON "labels"."id" = wanted.k0 
WHERE "labels"."known_at" >= TIMESTAMP WITH TIME ZONE '1980-01-01 00:00:00+00:00' AND "labels"."known_at" < TIMESTAMP WITH TIME ZONE '2200-01-01 00:00:00+00:00') AS ranked 
WHERE ranked.place = 1) AS newest ON drawn.k0 = newest.k0;

