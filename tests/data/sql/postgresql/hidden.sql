SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND jsonb_extract_path_text(CASE WHEN (pg_typeof("logs"."predictions"."inputs") = 'jsonb'::regtype) THEN CAST("logs"."predictions"."inputs" AS JSONB) ELSE CASE WHEN CAST("logs"."predictions"."inputs" AS TEXT) ~ '^\s*[[{]' AND pg_input_is_valid(CAST("logs"."predictions"."inputs" AS TEXT), 'jsonb') THEN CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS JSONB) END END, 'home', 'postcode') IS NOT NULL 
 LIMIT 1;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND "logs"."predictions"."inputs" IS NOT NULL 
 LIMIT 1;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND jsonb_extract_path_text(CASE WHEN CAST("logs"."predictions"."document" AS TEXT) ~ '^\s*[[{]' AND pg_input_is_valid(CAST("logs"."predictions"."document" AS TEXT), 'jsonb') THEN CAST(CAST("logs"."predictions"."document" AS TEXT) AS JSONB) END, 'email') IS NOT NULL 
 LIMIT 1;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND "logs"."predictions"."document" IS NOT NULL 
 LIMIT 1;

SELECT count(*) AS count_1 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00';

WITH drawn AS 
(SELECT CAST("logs"."predictions"."naive" AS TEXT) AS c0, CAST("logs"."predictions"."day" AS TEXT) AS c1, CAST("logs"."predictions"."zulu" AS TEXT) AS c2, CAST("logs"."predictions"."mixed" AS TEXT) AS c3, CAST("logs"."predictions"."version" AS TEXT) AS c4, CAST("logs"."predictions"."distance" AS DOUBLE PRECISION) AS c5, CAST("logs"."predictions"."seats" AS DOUBLE PRECISION) AS c6, CAST("logs"."predictions"."written" AS TEXT) AS c7, CAST("logs"."predictions"."carrier" AS TEXT) AS c8, CAST("logs"."predictions"."late" AS TEXT) AS c9, CAST("logs"."predictions"."postcode" AS TEXT) AS c10, CAST(CASE WHEN ((CASE WHEN CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT) ~ '^\s*[[{]' AND pg_input_is_valid(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT), 'jsonb') THEN CAST(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT) AS JSONB) END #> ARRAY['home', 'postcode']) IS NOT NULL) THEN CASE WHEN CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT) ~ '^\s*[[{]' AND pg_input_is_valid(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT), 'jsonb') THEN CAST(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT) AS JSONB) END #- ARRAY['home', 'postcode'] ELSE CASE WHEN CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT) ~ '^\s*[[{]' AND pg_input_is_valid(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT), 'jsonb') THEN CAST(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT) AS JSONB) END END AS TEXT) AS c11, CAST(CASE WHEN ((CASE WHEN CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT) ~ '^\s*[[{]' AND pg_input_is_valid(CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT), 'jsonb') THEN CAST(CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT) AS JSONB) END #> ARRAY['email']) IS NOT NULL) THEN CASE WHEN CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT) ~ '^\s*[[{]' AND pg_input_is_valid(CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT), 'jsonb') THEN CAST(CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT) AS JSONB) END #- ARRAY['email'] ELSE CASE WHEN CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT) ~ '^\s*[[{]' AND pg_input_is_valid(CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT), 'jsonb') THEN CAST(CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT) AS JSONB) END END AS TEXT) AS c12, CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) AS c13, "logs"."predictions"."ts" AS c14, md5('0' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '')) COLLATE "C" AS lot 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' ORDER BY lot, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14 
 LIMIT 1000)
 SELECT drawn.c0, drawn.c1, drawn.c2, drawn.c3, drawn.c4, drawn.c5, drawn.c6, drawn.c7, drawn.c8, drawn.c9, drawn.c10, drawn.c11, drawn.c12, drawn.c13, drawn.c14 
FROM drawn ORDER BY drawn.lot, drawn.c0, drawn.c1, drawn.c2, drawn.c3, drawn.c4, drawn.c5, drawn.c6, drawn.c7, drawn.c8, drawn.c9, drawn.c10, drawn.c11, drawn.c12, drawn.c13, drawn.c14;

