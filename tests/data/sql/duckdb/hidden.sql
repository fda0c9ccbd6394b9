SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND CASE WHEN json_valid(CAST("logs"."predictions"."inputs" AS TEXT)) THEN json_extract_string(CAST("logs"."predictions"."inputs" AS TEXT), '/home/postcode') END IS NOT NULL 
 LIMIT 1;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND "logs"."predictions"."inputs" IS NOT NULL 
 LIMIT 1;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND CASE WHEN json_valid(CAST("logs"."predictions"."document" AS TEXT)) THEN json_extract_string(CAST("logs"."predictions"."document" AS TEXT), '/email') END IS NOT NULL 
 LIMIT 1;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND "logs"."predictions"."document" IS NOT NULL 
 LIMIT 1;

SELECT count(*) AS count_1 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00';

WITH drawn AS 
(SELECT CAST("logs"."predictions"."naive" AS TEXT) AS c0, CAST("logs"."predictions"."day" AS TEXT) AS c1, CAST("logs"."predictions"."zulu" AS TEXT) AS c2, CAST("logs"."predictions"."mixed" AS TEXT) AS c3, CAST("logs"."predictions"."version" AS TEXT) AS c4, CAST("logs"."predictions"."distance" AS DOUBLE PRECISION) AS c5, CAST("logs"."predictions"."seats" AS DOUBLE PRECISION) AS c6, CAST("logs"."predictions"."written" AS TEXT) AS c7, CAST("logs"."predictions"."carrier" AS TEXT) AS c8, CAST("logs"."predictions"."late" AS TEXT) AS c9, CAST("logs"."predictions"."postcode" AS TEXT) AS c10, CAST(json_merge_patch(CASE WHEN json_valid(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT)) THEN CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT) END, '{"home": {"postcode": null}}') AS TEXT) AS c11, CAST(json_merge_patch(CASE WHEN json_valid(CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT)) THEN CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT) END, '{"email": null}') AS TEXT) AS c12, CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) AS c13, CAST(struct_extract(struct_extract("logs"."predictions"."nested", 'in'), 'we"ird`\; -- drop') AS TEXT) AS c14, "logs"."predictions"."ts" AS c15, md5('0' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '')) AS lot 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' ORDER BY lot, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15 
 LIMIT 1000)
 SELECT drawn.c0, drawn.c1, drawn.c2, drawn.c3, drawn.c4, drawn.c5, drawn.c6, drawn.c7, drawn.c8, drawn.c9, drawn.c10, drawn.c11, drawn.c12, drawn.c13, drawn.c14, drawn.c15 
FROM drawn ORDER BY drawn.lot, drawn.c0, drawn.c1, drawn.c2, drawn.c3, drawn.c4, drawn.c5, drawn.c6, drawn.c7, drawn.c8, drawn.c9, drawn.c10, drawn.c11, drawn.c12, drawn.c13, drawn.c14, drawn.c15;

