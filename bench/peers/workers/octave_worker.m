% Runs Octave's conv2 for the program that started it. The protocol is in bench/peers/remote.h.
%
% Octave is column-major: x[N,K,H,W] is read as x(W,H,K,N), that is, planes are transposed. The
% convolution of transposed planes is the transposed convolution, so nothing is reordered.

1;

% The words of the next request, none at the end of the input. (fgetl would wait for the character
% after the line.)
function words = next_request ()
  try
    words = strsplit (input ("", "s"), " ");
  catch
    words = {};
  end_try_catch
endfunction

% From what follows the id of a plan request. What makes a layer of it is neutral.
function plan = make_plan (words)
  plan.class = {"single", "double"}{1 + strcmp(words{2}, "f64")};
  sizes = num2cell (str2double (words(4:10)));
  [N, K, C, H, W, h, w] = sizes{:};
  plan.x_size = [W, H, K, N];
  plan.k_size = [w, h, C, K];
  plan.is_plane = (N * K * C == 1);
  plan.path = words{end};
endfunction

% y(:,:,c,n) = sum over o of x(:,:,o,n) * k(:,:,c,o), plane by plane.
function y = conv2_layer (x, k)
  [W, H, K, N] = size (x);
  [w, h, C, ~] = size (k);
  y = zeros (W + w - 1, H + h - 1, C, N, class (x));
  for n = 1:N
    for c = 1:C
      for o = 1:K
        y(:,:,c,n) += conv2 (x(:,:,o,n), k(:,:,c,o));
      endfor
    endfor
  endfor
endfunction

function operand = read_operand (file, size, class)
  operand = reshape (fread (file, prod (size), [class "=>" class]), size);
endfunction

function plan = execute (plan)
  % Opened anew each time, or a buffer would still have what was read before.
  file = fopen (plan.path, "r+");
  plan.x = read_operand (file, plan.x_size, plan.class);
  plan.k = read_operand (file, plan.k_size, plan.class);
  if (plan.is_plane)
    y = conv2 (plan.x, plan.k);
  else
    y = conv2_layer (plan.x, plan.k);
  endif
  fseek (file, 0, SEEK_CUR);  % between reading and writing
  fwrite (file, y, plan.class);
  fclose (file);
endfunction

function seconds = time_calls (plan, iterations)
  x = plan.x;
  k = plan.k;
  if (plan.is_plane)
    began = tic ();
    for i = 1:iterations
      y = conv2 (x, k);
    endfor
    seconds = toc (began);
  else
    began = tic ();
    for i = 1:iterations
      y = conv2_layer (x, k);
    endfor
    seconds = toc (began);
  endif
endfunction

function text = first_line (text)
  text = strsplit (text, "\n"){1};
endfunction

function say (varargin)
  printf (varargin{:});
  fflush (stdout);
endfunction

say ("ready Octave %s\n", version ());
plans = containers.Map ();
while (! isempty (words = next_request ()))
  try
    id = words{2};
    switch (words{1})
      case "plan"
        plans(id) = make_plan (words(3:end));
        say ("ok\n");
      case "execute"
        plans(id) = execute (plans(id));
        say ("ok\n");
      case "time"
        say ("ok %.9f\n", time_calls (plans(id), str2double (words{3})));
      case "describe"
        say ("ok BLAS: %s\n", first_line (version ("-blas")));
      case "drop"
        remove (plans, id);
        say ("ok\n");
      otherwise
        error ("unknown request: %s", words{1});
    endswitch
  catch problem
    if (strncmp (problem.message, "out of memory", 13))
      say ("memory %s\n", first_line (problem.message));
    else
      say ("failed %s\n", first_line (problem.message));
    endif
  end_try_catch
endwhile
